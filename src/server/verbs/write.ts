// The steps that creations and updates share, in upstream's order:
//
//   decoded ─► owners of fields ─► admission ─► hooks ─► prepare ─► validate ─► admission ─► store

import { updateManagedFields } from '../../api/patch/apply/update.ts'
