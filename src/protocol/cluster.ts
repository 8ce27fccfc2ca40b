/** What every node must know of its cluster. */
export type ClusterFacts = {
  clusterCidr: string
  serviceCidr: string
  clusterDns: string
  clusterDomain: string
}
