// A fault that the person at the terminal can mend: one line saying what, where and how.

/**
 * The message is complete; the command line prints it after the program's name and exits with 1.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
}
