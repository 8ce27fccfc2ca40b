/**
 * Why a container cannot be started for now, with the reason that goes into its waiting state, in
 * upstream's words (`CreateContainerConfigError`, `ErrImagePull`, …). Thrown by whatever a start
 * needs: runtime, images, volumes, network, variables.
 */
export class ContainerError extends Error {
  override readonly name = 'ContainerError'
  readonly reason: string
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}
