// Writes the test images as one archive: bun test/images/build.ts OUTPUT.tar [oci|docker]

import { writeFileSync } from 'node:fs'
import { dockerArchive, ociArchive } from './image.ts'
import { testImages } from './recipes.ts'

const [output, format = 'oci'] = process.argv.slice(2)
if (output === undefined || !['oci', 'docker'].includes(format)) {
  throw new Error('usage: bun test/images/build.ts OUTPUT.tar [oci|docker]')
}
const images = await testImages()
writeFileSync(output, format === 'oci' ? ociArchive(images) : dockerArchive(images))
for (const { name, manifest } of images) console.log(`${name} ${manifest.digest}`)
