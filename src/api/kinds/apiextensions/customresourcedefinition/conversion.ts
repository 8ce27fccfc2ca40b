import { dns1035LabelFaults } from '../../../names.ts'
import type {
  CustomResourceConversion,
  WebhookConversion,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'

const PATH = 'spec.conversion'
/** Of reviews that this server could send. */
const REVIEW_VERSIONS = ['v1', 'v1beta1']

export function checkConversion(
  faults: FieldErrors,
  conversion: CustomResourceConversion | undefined,
) {
  if (conversion === undefined) return
  const { strategy, webhook } = conversion
  if (strategy === '') faults.required(`${PATH}.strategy`)
  else if (strategy !== 'None' && strategy !== 'Webhook') {
    faults.notSupported(`${PATH}.strategy`, strategy, ['None', 'Webhook'])
  }
  if (strategy === 'Webhook') return checkWebhook(faults, webhook)
  const why = 'should not be set when strategy is not set to Webhook'
  if (webhook?.clientConfig !== undefined) faults.forbidden(`${PATH}.webhookClientConfig`, why)
  if ((webhook?.conversionReviewVersions ?? []).length > 0) {
    faults.forbidden(`${PATH}.conversionReviewVersions`, why)
  }
}

function checkWebhook(faults: FieldErrors, webhook: WebhookConversion | undefined) {
  const config = webhook?.clientConfig
  const path = `${PATH}.webhookClientConfig`
  if (config === undefined) faults.required(path, 'required when strategy is set to Webhook')
  else if ((config.url === undefined) === (config.service === undefined)) {
    faults.required(path, 'exactly one of url or service is required')
  } else if (config.url !== undefined) checkUrl(faults, config.url, `${path}.url`)
  else if (config.service !== undefined) {
    const { name, namespace, port, path: urlPath } = config.service
    if (!name) faults.required(`${path}.service.name`, 'service name is required')
    if (!namespace) faults.required(`${path}.service.namespace`, 'service namespace is required')
    if (port !== undefined && (port < 1 || port > 65_535)) {
      const why = 'port is not valid: must be between 1 and 65535, inclusive'
      faults.invalid(`${path}.service.port`, port, why)
    }
    if (urlPath !== undefined && !urlPath.startsWith('/')) {
      faults.invalid(`${path}.service.path`, urlPath, "must start with a '/'")
    }
  }
  checkReviewVersions(faults, webhook?.conversionReviewVersions ?? [])
}

const FORM = '; desired format: https://host[/path]'

function checkUrl(faults: FieldErrors, text: string, path: string) {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) {
    faults.invalid(path, text, `url must be a valid URL${FORM}`)
    return
  }
  if (url.protocol !== 'https:') {
    const scheme = url.protocol.replace(/:$/, '')
    faults.invalid(path, scheme, `'https' is the only allowed URL scheme${FORM}`)
  }
  if (url.host === '') faults.invalid(path, url.host, `host must be specified${FORM}`)
  if (url.username !== '' || url.password !== '') {
    faults.invalid(path, text, 'user information is not permitted in the URL')
  }
  if (url.hash !== '') {
    faults.invalid(path, url.hash.slice(1), 'fragments are not permitted in the URL')
  }
  if (url.search !== '') {
    faults.invalid(path, url.search.slice(1), 'query parameters are not permitted in the URL')
  }
}

function checkReviewVersions(faults: FieldErrors, versions: readonly string[]) {
  const path = `${PATH}.conversionReviewVersions`
  if (versions.length === 0) {
    faults.required(path)
    return
  }
  const seen = new Set<string>()
  versions.forEach((version, i) => {
    if (seen.has(version)) faults.invalid(`${path}[${i}]`, version, 'duplicate version')
    else faults.invalidAll(`${path}[${i}]`, version, dns1035LabelFaults(version))
    seen.add(version)
  })
  if (REVIEW_VERSIONS.some((version) => seen.has(version))) return
  faults.invalid(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`)
}
