// What is mounted below a folder, from the text of /proc/self/mountinfo. Pure.

/** Mount points at `folder` or below it, the deepest first: the order to unmount them in. */
export function mountsBelow(mountinfo: string, folder: string): string[] {
  const points = mountinfo
    .split('\n')
    .map((line) => unescapePath(line.split(' ')[4] ?? ''))
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
  // Several mounts may lie upon another: all of them have to go, the newest first.
  return points.toReversed().toSorted((a, b) => b.length - a.length)
}

/** The kernel writes blanks and backslashes as octal numbers. */
function unescapePath(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
