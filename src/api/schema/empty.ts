// What stands where nothing was said: Go writes some fields even when they are empty.

import { type Field, type FieldType, type ObjectType, objectType } from './schema.ts'

type Json = { [field: string]: unknown }

/** An object with only the fields that are written even when empty; a new value at each call. */
export function emptyObject(type: ObjectType): Json {
  const object: Json = {}
  for (const field of type.fields.values()) {
    if (field.alwaysWritten) object[field.name] = emptyValue(field)
  }
  return object
}

/** What an always written field holds when nothing was said: `{}`, null, "" or 0. */
export function emptyValue(field: Field): unknown {
  if (field.pointer) return null
  return emptyOf(field.type)
}

/** The status that a new object of this type has; undefined when none is written. */
export function emptyStatus(typeName: string): unknown {
  const field = objectType(typeName).fields.get('status')
  return field?.alwaysWritten ? emptyValue(field) : undefined
}

function emptyOf(type: FieldType): unknown {
  switch (type.is) {
    case 'object':
      return emptyObject(type.type)
    case 'string':
      return ''
    case 'boolean':
      return false
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0
    case 'quantity':
      return '0'
    case 'duration':
      return '0s'
    default:
      return null
  }
}
