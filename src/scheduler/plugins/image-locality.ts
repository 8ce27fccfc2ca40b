// Prefers nodes that have the images, less so the fewer nodes have them: no hot spots.

import { type MakePlugin, SCORE_MAX } from '../framework.ts'
import { normalImageName } from '../node-state.ts'

/** Images smaller than this are no reason to prefer a node; nor does more than that count. */
const IMAGE_BYTES = { min: 23 * 1024 * 1024, max: 1000 * 1024 * 1024 }

export const imageLocality: MakePlugin = () => ({
  name: 'ImageLocality',
  weight: 1,
  preScore({ pod }, _, view) {
    const { containers, initContainers = [], volumes = [] } = pod.spec
    const all = [...initContainers, ...containers]
    const mounted = volumes.flatMap(({ image }) => (image ? [image.reference] : []))
    const images = [...all.map(({ image }) => image), ...mounted]
      .filter((image) => image !== undefined)
      .map((image) => ({
        name: normalImageName(image),
        spread: view.nodeCountOfImage(normalImageName(image)) / view.nodes.length,
      }))
    const max = IMAGE_BYTES.max * all.length
    return {
      score(state) {
        const sum = images.reduce((total, { name, spread }) => {
          return total + Math.trunc((state.images.get(name) ?? 0) * spread)
        }, 0)
        const clamped = Math.min(Math.max(sum, IMAGE_BYTES.min), max)
        return Math.floor((SCORE_MAX * (clamped - IMAGE_BYTES.min)) / (max - IMAGE_BYTES.min))
      },
    }
  },
})
