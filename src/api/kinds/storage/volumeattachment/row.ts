import { defineResource } from '../../../resource.ts'
import type { VolumeAttachment } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { checkAttachment } from './validation.ts'

export const volumeAttachments = defineResource<VolumeAttachment>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  type: 'io.k8s.api.storage.v1.VolumeAttachment',
  scope: 'Cluster',
  generationOf: false,
  metadataJudges: ['whole'],
  unconditionalUpdate: false,
  rules: [ruleOf(checkAttachment)],
  status: {
    writes: ['status'],
    metadataJudges: ['whole'],
    resets: ['metadata', 'spec'],
  },
  answersDeleted: true,
  columns: [
    {
      name: 'Attacher',
      type: 'string',
      format: 'name',
      priority: 0,
      description: 'The driver that attaches it.',
      cell: ({ spec }) => spec.attacher ?? '',
    },
    {
      name: 'PV',
      type: 'string',
      priority: 0,
      description: 'The volume.',
      cell: ({ spec }) => spec.source?.persistentVolumeName ?? '',
    },
    {
      name: 'Node',
      type: 'string',
      priority: 0,
      description: 'The node that it is attached to.',
      cell: ({ spec }) => spec.nodeName ?? '',
    },
    {
      name: 'Attached',
      type: 'boolean',
      priority: 0,
      description: 'Whether it is.',
      cell: ({ status }) => status?.attached ?? false,
    },
    ageColumn,
  ],
})
