// How names may be written. Every check returns the faults in upstream's sentences
// (apimachinery/pkg/util/validation and pkg/api/validate/content); no faults means valid.

export type FieldErrors = readonly string[]

const FINE: FieldErrors = []

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const LABEL_VALUE = `(${QUALIFIED})?`
const CONFIG_KEY = '[-._a-zA-Z0-9]+'
const HEADER = '[-A-Za-z0-9]+'
const PERCENT = '[0-9]+%'

const ALPHANUMERIC_ENDS = 'and must start and end with an alphanumeric character'
const LABEL_TEXT =
  'a lowercase RFC 1123 label must consist of lower case alphanumeric characters' +
  ` or '-', ${ALPHANUMERIC_ENDS}`
const SUBDOMAIN_TEXT =
  'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters,' +
  ` '-' or '.', ${ALPHANUMERIC_ENDS}`
const WILDCARD_TEXT =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which" +
  " must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric" +
  ' character'
const SIGNS = "'-', '_' or '.'"
const QUALIFIED_TEXT = `must consist of alphanumeric characters, ${SIGNS}, ${ALPHANUMERIC_ENDS}`
const LABEL_VALUE_TEXT =
  'a valid label must be an empty string or consist of alphanumeric characters,' +
  ` ${SIGNS}, ${ALPHANUMERIC_ENDS}`

const LABEL_RE = whole(LABEL)
const QUALIFIED_RE = whole(QUALIFIED)
const LABEL_VALUE_RE = whole(LABEL_VALUE)
const CONFIG_KEY_RE = whole(CONFIG_KEY)
const HEADER_RE = whole(HEADER)
const PERCENT_RE = whole(PERCENT)

const LABEL_MAX = 63
const SUBDOMAIN_MAX = 253
const PORT_NAME_MAX = 15
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const LABEL_1035_RE = whole(LABEL_1035)
const LABEL_1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an" +
  ' alphabetic character, and end with an alphanumeric character'

/** RFC 1123 label: my-name. */
export function dnsLabelFaults(value: string): FieldErrors {
  if (value.length <= LABEL_MAX && LABEL_RE.test(value)) return FINE
  const faults = tooLong(value, LABEL_MAX, 'characters')
  if (LABEL_RE.test(value)) return faults
  // Its length is judged already, so a name that is a good subdomain can only fail for its dots.
  if (isSubdomain(value)) return [...faults, 'must not contain dots']
  return [...faults, patternFault(LABEL_TEXT, LABEL, 'my-name', '123-abc')]
}

/** RFC 1035 label, which begins with a letter: my-name. */
export function dns1035LabelFaults(value: string): FieldErrors {
  return checked(value, LABEL_1035_RE, LABEL_MAX, () =>
    patternFault(LABEL_1035_TEXT, LABEL_1035, 'my-name', 'abc-123'),
  )
}

/** RFC 1123 subdomain: example.com. */
export function dnsSubdomainFaults(value: string): FieldErrors {
  return subdomainFaults(value, 'characters')
}

/** For hosts of Ingresses: *.example.com. */
export function wildcardSubdomainFaults(value: string): FieldErrors {
  const faults = tooLong(value, SUBDOMAIN_MAX, 'characters')
  if (value.startsWith('*.') && isSubdomain(value.slice(2))) return faults
  return [...faults, patternFault(WILDCARD_TEXT, `\\*\\.${SUBDOMAIN}`, '*.example.com')]
}

/** Keys of labels and annotations, finalizers, taints: example.com/my-name. */
export function qualifiedNameFaults(value: string): FieldErrors {
  if (value.length <= LABEL_MAX && QUALIFIED_RE.test(value)) return FINE
  const parts = value.split('/')
  const pattern = patternFault(QUALIFIED_TEXT, QUALIFIED, 'MyName', 'my.name', '123-abc')
  if (parts.length > 2) {
    const hint = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
    return [`a valid label key ${pattern}${hint}`]
  }
  const faults: string[] = []
  const name = parts.at(-1)!
  if (parts.length === 2) {
    if (parts[0] === '') faults.push('prefix part must be non-empty')
    else faults.push(...subdomainFaults(parts[0]!, 'bytes').map((text) => `prefix part ${text}`))
  }
  if (name === '') faults.push('name part must be non-empty')
  faults.push(...tooLong(name, LABEL_MAX, 'bytes').map((text) => `name part ${text}`))
  if (!QUALIFIED_RE.test(name)) faults.push(`name part ${pattern}`)
  return faults
}

export function labelValueFaults(value: string): FieldErrors {
  if (value.length <= LABEL_MAX && LABEL_VALUE_RE.test(value)) return FINE
  const faults = tooLong(value, LABEL_MAX, 'bytes')
  if (LABEL_VALUE_RE.test(value)) return faults
  const examples = ['MyValue', 'my_value', '12345']
  return [...faults, patternFault(LABEL_VALUE_TEXT, LABEL_VALUE, ...examples)]
}

/** Keys of ConfigMaps and Secrets. */
export function configKeyFaults(value: string): FieldErrors {
  const text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
  const faults = checked(value, CONFIG_KEY_RE, SUBDOMAIN_MAX, () =>
    patternFault(text, CONFIG_KEY, 'key.name', 'KEY_NAME', 'key-name'),
  )
  const dots = parentFolderFaults(value)
  return dots.length === 0 ? faults : [...faults, ...dots]
}

/** Names of environment variables: all of printable ASCII but `=`, since 1.34. */
export function environmentNameFaults(value: string): FieldErrors {
  const faults: string[] = []
  if (value === '') faults.push('environment variable name must be non-empty')
  if (!/^[ -<>-~]*$/.test(value)) {
    const text = 'a valid environment variable name must consist only of printable ASCII characters'
    faults.push(`${text} other than '='`)
  }
  return faults
}

export function httpHeaderNameFaults(value: string): FieldErrors {
  const text = "a valid HTTP header must consist of alphanumeric characters or '-'"
  return HEADER_RE.test(value) ? FINE : [patternFault(text, HEADER, 'X-Header-Name')]
}

export function percentFaults(value: string): FieldErrors {
  const text = "a valid percent string must be a numeric string followed by an ending '%'"
  return PERCENT_RE.test(value) ? FINE : [patternFault(text, PERCENT, '1%', '93%')]
}

export function portNumberFaults(port: number): FieldErrors {
  return rangeFaults(port, 1, 65_535)
}

export function rangeFaults(value: number, min: number, max: number): FieldErrors {
  return value >= min && value <= max ? FINE : [`must be between ${min} and ${max}, inclusive`]
}

/** Names of ports: RFC 6335. */
export function portNameFaults(value: string): FieldErrors {
  const faults: string[] = [...tooLong(value, PORT_NAME_MAX, 'characters')]
  if (!/^[-a-z0-9]+$/.test(value)) {
    faults.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  }
  if (!/[a-z]/.test(value)) faults.push('must contain at least one letter (a-z)')
  if (value.includes('--')) faults.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) {
    faults.push('must not begin or end with a hyphen')
  }
  return faults
}

/** The weakest rule for names: what fits into one part of a path. RBAC and CRD-backed kinds. */
function pathSegmentFaults(value: string, isPrefix = false): FieldErrors {
  if (!isPrefix && (value === '.' || value === '..')) return [`may not be '${value}'`]
  return ['/', '%']
    .filter((sign) => value.includes(sign))
    .map((sign) => `may not contain '${sign}'`)
}

/** For ResourceRow.nameRule; with `isPrefix` the name is a generateName and may end with a dash. */
export function isDnsSubdomainName(name: string, isPrefix: boolean): FieldErrors {
  return dnsSubdomainFaults(isPrefix ? withoutTrailingDash(name) : name)
}

/** For ResourceRow.nameRule: namespaces and others whose name becomes a DNS label. */
export function isDnsLabelName(name: string, isPrefix: boolean): FieldErrors {
  return dnsLabelFaults(isPrefix ? withoutTrailingDash(name) : name)
}

/** For ResourceRow.nameRule: roles and bindings. */
export function isPathSegmentName(name: string, isPrefix: boolean): FieldErrors {
  return pathSegmentFaults(name, isPrefix)
}

function subdomainFaults(value: string, unit: 'characters' | 'bytes'): FieldErrors {
  if (value.length <= SUBDOMAIN_MAX && isSubdomain(value)) return FINE
  const faults = tooLong(value, SUBDOMAIN_MAX, unit)
  if (isSubdomain(value)) return faults
  return [...faults, patternFault(SUBDOMAIN_TEXT, SUBDOMAIN, 'example.com')]
}

/** Label by label: one pattern for all goes back over many of them at a fault in the last. */
function isSubdomain(value: string): boolean {
  return value.split('.').every((label) => LABEL_RE.test(label))
}

function checked(value: string, re: RegExp, max: number, fault: () => string): FieldErrors {
  const matches = re.test(value)
  if (matches && value.length <= max) return FINE
  const faults = tooLong(value, max, 'characters')
  return matches ? faults : [...faults, fault()]
}

function tooLong(value: string, max: number, unit: 'characters' | 'bytes'): FieldErrors {
  return Buffer.byteLength(value) > max ? [`must be no more than ${max} ${unit}`] : FINE
}

function parentFolderFaults(value: string): FieldErrors {
  if (value === '.' || value === '..') return [`must not be '${value}'`]
  return value.startsWith('..') ? ["must not start with '..'"] : FINE
}

/** Upstream drops the last two characters here, so that `a--` counts as the fault that it is. */
function withoutTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name
}

function patternFault(text: string, pattern: string, ...examples: readonly string[]): string {
  const list = examples.map((example) => `'${example}', `).join(' or ')
  return `${text} (e.g. ${list}regex used for validation is '${pattern}')`
}

function whole(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`)
}
