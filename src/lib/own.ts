// Plain objects as maps from keys that somebody else chose. `map['constructor']` finds what every
// object inherits, and `map['__proto__'] = x` changes what it inherits; these two do neither.

/** What the map itself holds for `key`. */
export function own<T>(map: { readonly [key: string]: T } | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined
}

/** Sets an entry, whatever its key is. */
export function setOwn<T>(map: { [key: string]: T }, key: string, value: T): void {
  // Defining is slower than assigning, and only this one key has a setter to get around.
  if (key === '__proto__') {
    Object.defineProperty(map, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    })
  } else map[key] = value
}
