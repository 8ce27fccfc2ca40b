// The fields of upstream's internal types, as some messages show them: Go's names in Go's order
// (pkg/apis/*/types.go). Facts alone; internal-form.ts reads them.
//
// NAME:KIND, or NAME=FIELD:KIND where FIELD is not NAME with a small first letter; ...TYPE for the
// fields of another type. Kinds: s text, b boolean, i number, q quantity, x number or text,
// * pointer to one of those, *TYPE pointer, TYPE value, [KIND] list, {KIND} map.
export const INTERNAL_FIELDS = `
AWSElasticBlockStoreVolumeSource VolumeID:s FSType=fsType:s Partition:i ReadOnly:b
Affinity NodeAffinity:*NodeAffinity PodAffinity:*PodAffinity PodAntiAffinity:*PodAntiAffinity
AppArmorProfile Type:s LocalhostProfile:*
AzureDiskVolumeSource DiskName:s DataDiskURI=diskURI:s CachingMode:* FSType=fsType:* ReadOnly:*
  Kind:*
AzureFilePersistentVolumeSource SecretName:s ShareName:s ReadOnly:b SecretNamespace:*
AzureFileVolumeSource SecretName:s ShareName:s ReadOnly:b
CSINodeDriver Name:s NodeID=nodeID:s TopologyKeys:[s] Allocatable:*VolumeNodeResources
CSIPersistentVolumeSource Driver:s VolumeHandle:s ReadOnly:b FSType=fsType:s VolumeAttributes:{s}
  ControllerPublishSecretRef:*SecretReference NodeStageSecretRef:*SecretReference
  NodePublishSecretRef:*SecretReference ControllerExpandSecretRef:*SecretReference
  NodeExpandSecretRef:*SecretReference
CSIVolumeSource Driver:s ReadOnly:* FSType=fsType:* VolumeAttributes:{s}
  NodePublishSecretRef:*LocalObjectReference
Capabilities Add:[s] Drop:[s]
CephFSPersistentVolumeSource Monitors:[s] Path:s User:s SecretFile:s SecretRef:*SecretReference
  ReadOnly:b
CephFSVolumeSource Monitors:[s] Path:s User:s SecretFile:s SecretRef:*LocalObjectReference
  ReadOnly:b
CinderPersistentVolumeSource VolumeID:s FSType=fsType:s ReadOnly:b SecretRef:*SecretReference
CinderVolumeSource VolumeID:s FSType=fsType:s ReadOnly:b SecretRef:*LocalObjectReference
ClusterTrustBundleProjection Name:* SignerName:* LabelSelector:* Optional:* Path:s
ConfigMapEnvSource ...LocalObjectReference Optional:*
ConfigMapKeySelector ...LocalObjectReference Key:s Optional:*
ConfigMapProjection ...LocalObjectReference Items:[KeyToPath] Optional:*
ConfigMapVolumeSource ...LocalObjectReference Items:[KeyToPath] DefaultMode:* Optional:*
Container Name:s Image:s Command:[s] Args:[s] WorkingDir:s Ports:[ContainerPort]
  EnvFrom:[EnvFromSource] Env:[EnvVar] Resources:ResourceRequirements
  ResizePolicy:[ContainerResizePolicy] RestartPolicy:* RestartPolicyRules:[ContainerRestartRule]
  VolumeMounts:[VolumeMount] VolumeDevices:[VolumeDevice] LivenessProbe:*Probe
  ReadinessProbe:*Probe StartupProbe:*Probe Lifecycle:*Lifecycle TerminationMessagePath:s
  TerminationMessagePolicy:s ImagePullPolicy:s SecurityContext:*SecurityContext Stdin:b
  StdinOnce:b TTY=tty:b
ContainerPort Name:s HostPort:i ContainerPort:i Protocol:s HostIP:s
ContainerResizePolicy ResourceName:s RestartPolicy:s
ContainerRestartRule Action:s ExitCodes:*ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes Operator:s Values:[i]
DaemonSetUpdateStrategy Type:s RollingUpdate:*RollingUpdateDaemonSet
DeploymentStrategy Type:s RollingUpdate:*RollingUpdateDeployment
DownwardAPIProjection Items:[DownwardAPIVolumeFile]
DownwardAPIVolumeFile Path:s FieldRef:*ObjectFieldSelector ResourceFieldRef:*ResourceFieldSelector
  Mode:*
DownwardAPIVolumeSource Items:[DownwardAPIVolumeFile] DefaultMode:*
EmptyDirVolumeSource Medium:s SizeLimit:*q
EnvFromSource Prefix:s ConfigMapRef:*ConfigMapEnvSource SecretRef:*SecretEnvSource
EnvVar Name:s Value:s ValueFrom:*EnvVarSource
EnvVarSource FieldRef:*ObjectFieldSelector ResourceFieldRef:*ResourceFieldSelector
  ConfigMapKeyRef:*ConfigMapKeySelector SecretKeyRef:*SecretKeySelector
  FileKeyRef:*FileKeySelector
EphemeralContainer ...EphemeralContainerCommon TargetContainerName:s
EphemeralContainerCommon Name:s Image:s Command:[s] Args:[s] WorkingDir:s Ports:[ContainerPort]
  EnvFrom:[EnvFromSource] Env:[EnvVar] Resources:ResourceRequirements
  ResizePolicy:[ContainerResizePolicy] RestartPolicy:* RestartPolicyRules:[ContainerRestartRule]
  VolumeMounts:[VolumeMount] VolumeDevices:[VolumeDevice] LivenessProbe:*Probe
  ReadinessProbe:*Probe StartupProbe:*Probe Lifecycle:*Lifecycle TerminationMessagePath:s
  TerminationMessagePolicy:s ImagePullPolicy:s SecurityContext:*SecurityContext Stdin:b
  StdinOnce:b TTY=tty:b
EphemeralVolumeSource VolumeClaimTemplate:*PersistentVolumeClaimTemplate
ExecAction Command:[s]
ExemptPriorityLevelConfiguration NominalConcurrencyShares:* LendablePercent:*
FCVolumeSource TargetWWNs:[s] Lun:* FSType=fsType:s ReadOnly:b WWIDs=wwids:[s]
FileKeySelector VolumeName:s Path:s Key:s Optional:*
FlexPersistentVolumeSource Driver:s FSType=fsType:s SecretRef:*SecretReference ReadOnly:b
  Options:{s}
FlexVolumeSource Driver:s FSType=fsType:s SecretRef:*LocalObjectReference ReadOnly:b Options:{s}
FlockerVolumeSource DatasetName:s DatasetUUID:s
FlowDistinguisherMethod Type:s
FlowSchemaSpec PriorityLevelConfiguration:PriorityLevelConfigurationReference MatchingPrecedence:i
  DistinguisherMethod:*FlowDistinguisherMethod Rules:[PolicyRulesWithSubjects]
FlowSubject Kind:s User:*LocalObjectReference Group:*LocalObjectReference
  ServiceAccount:*ServiceAccountSubject
GCEPersistentDiskVolumeSource PDName=pdName:s FSType=fsType:s Partition:i ReadOnly:b
GRPCAction Port:i Service:*
GitRepoVolumeSource Repository:s Revision:s Directory:s
GlusterfsPersistentVolumeSource EndpointsName=endpoints:s Path:s ReadOnly:b EndpointsNamespace:*
GlusterfsVolumeSource EndpointsName=endpoints:s Path:s ReadOnly:b
HPAScalingPolicy Type:s Value:i PeriodSeconds:i
HPAScalingRules StabilizationWindowSeconds:* SelectPolicy:* Policies:[HPAScalingPolicy] Tolerance:*q
HTTPGetAction Path:s Port:x Host:s Scheme:s HTTPHeaders=httpHeaders:[HTTPHeader]
HTTPHeader Name:s Value:s
HorizontalPodAutoscalerBehavior ScaleUp:*HPAScalingRules ScaleDown:*HPAScalingRules
HostAlias IP=ip:s Hostnames:[s]
HostIP IP=ip:s
HostPathVolumeSource Path:s Type:*
ISCSIPersistentVolumeSource TargetPortal:s IQN=iqn:s Lun:i ISCSIInterface=iscsiInterface:s
  FSType=fsType:s ReadOnly:b Portals:[s] DiscoveryCHAPAuth=chapAuthDiscovery:b
  SessionCHAPAuth=chapAuthSession:b SecretRef:*SecretReference InitiatorName:*
ISCSIVolumeSource TargetPortal:s IQN=iqn:s Lun:i ISCSIInterface=iscsiInterface:s FSType=fsType:s
  ReadOnly:b Portals:[s] DiscoveryCHAPAuth=chapAuthDiscovery:b SessionCHAPAuth=chapAuthSession:b
  SecretRef:*LocalObjectReference InitiatorName:*
ImageVolumeSource Reference:s PullPolicy:s
KeyToPath Key:s Path:s Mode:*
Lifecycle PostStart:*LifecycleHandler PreStop:*LifecycleHandler StopSignal:*
LifecycleHandler Exec:*ExecAction HTTPGet=httpGet:*HTTPGetAction
  TCPSocket=tcpSocket:*TCPSocketAction Sleep:*SleepAction
LimitResponse Type:s Queuing:*QueuingConfiguration
LimitedPriorityLevelConfiguration NominalConcurrencyShares:i LimitResponse:LimitResponse
  LendablePercent:* BorrowingLimitPercent:*
LocalObjectReference Name:s
LocalVolumeSource Path:s FSType=fsType:*
NFSVolumeSource Server:s Path:s ReadOnly:b
NodeAddress Type:s Address:s
NodeAffinity RequiredDuringSchedulingIgnoredDuringExecution:*NodeSelector
  PreferredDuringSchedulingIgnoredDuringExecution:[PreferredSchedulingTerm]
NodeSelector NodeSelectorTerms:[NodeSelectorTerm]
NodeSelectorRequirement Key:s Operator:s Values:[s]
NodeSelectorTerm MatchExpressions:[NodeSelectorRequirement] MatchFields:[NodeSelectorRequirement]
NonResourcePolicyRule Verbs:[s] NonResourceURLs=nonResourceURLs:[s]
ObjectFieldSelector APIVersion=apiVersion:s FieldPath:s
ObjectReference Kind:s Namespace:s Name:s UID=uid:s APIVersion=apiVersion:s ResourceVersion:s
  FieldPath:s
PersistentVolumeClaimSpec AccessModes:[s] Selector:* Resources:VolumeResourceRequirements
  VolumeName:s StorageClassName:* VolumeMode:* DataSource:*TypedLocalObjectReference
  DataSourceRef:*TypedObjectReference VolumeAttributesClassName:*
PersistentVolumeClaimTemplate ...J Spec:PersistentVolumeClaimSpec
PersistentVolumeClaimVolumeSource ClaimName:s ReadOnly:b
PersistentVolumeSource GCEPersistentDisk=gcePersistentDisk:*GCEPersistentDiskVolumeSource
  AWSElasticBlockStore=awsElasticBlockStore:*AWSElasticBlockStoreVolumeSource
  HostPath:*HostPathVolumeSource Glusterfs:*GlusterfsPersistentVolumeSource NFS=nfs:*NFSVolumeSource
  RBD=rbd:*RBDPersistentVolumeSource Quobyte:*QuobyteVolumeSource
  ISCSI=iscsi:*ISCSIPersistentVolumeSource FlexVolume:*FlexPersistentVolumeSource
  Cinder:*CinderPersistentVolumeSource CephFS=cephfs:*CephFSPersistentVolumeSource
  FC=fc:*FCVolumeSource Flocker:*FlockerVolumeSource AzureFile:*AzureFilePersistentVolumeSource
  VsphereVolume:*VsphereVirtualDiskVolumeSource AzureDisk:*AzureDiskVolumeSource
  PhotonPersistentDisk:*PhotonPersistentDiskVolumeSource PortworxVolume:*PortworxVolumeSource
  ScaleIO:*ScaleIOPersistentVolumeSource Local:*LocalVolumeSource
  StorageOS=storageos:*StorageOSPersistentVolumeSource CSI=csi:*CSIPersistentVolumeSource
PersistentVolumeSpec Capacity:{q} ...PersistentVolumeSource AccessModes:[s]
  ClaimRef:*ObjectReference PersistentVolumeReclaimPolicy:s StorageClassName:s MountOptions:[s]
  VolumeMode:* NodeAffinity:*VolumeNodeAffinity VolumeAttributesClassName:*
PhotonPersistentDiskVolumeSource PdID:s FSType=fsType:s
PodAffinity RequiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]
  PreferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]
PodAffinityTerm LabelSelector:* Namespaces:[s] TopologyKey:s NamespaceSelector:*
  MatchLabelKeys:[s] MismatchLabelKeys:[s]
PodAntiAffinity RequiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]
  PreferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]
PodCertificateProjection SignerName:s KeyType:s MaxExpirationSeconds:* CredentialBundlePath:s
  KeyPath:s CertificateChainPath:s UserAnnotations:{s}
PodDNSConfig Nameservers:[s] Searches:[s] Options:[PodDNSConfigOption]
PodDNSConfigOption Name:s Value:*
PodDisruptionBudgetSpec MinAvailable:* Selector:* MaxUnavailable:* UnhealthyPodEvictionPolicy:*
PodFailurePolicy Rules:[PodFailurePolicyRule]
PodFailurePolicyOnExitCodesRequirement ContainerName:* Operator:s Values:[i]
PodFailurePolicyOnPodConditionsPattern Type:s Status:s
PodFailurePolicyRule Action:s OnExitCodes:*PodFailurePolicyOnExitCodesRequirement
  OnPodConditions:[PodFailurePolicyOnPodConditionsPattern]
PodIP IP=ip:s
PodOS Name:s
PodReadinessGate ConditionType:s
PodResourceClaim Name:s ResourceClaimName:* ResourceClaimTemplateName:*
PodSchedulingGate Name:s
PodSchedulingGroup PodGroupName:*
PodSecurityContext HostNetwork:b HostPID:b HostIPC:b ShareProcessNamespace:* HostUsers:*
  SELinuxOptions=seLinuxOptions:*SELinuxOptions WindowsOptions:*WindowsSecurityContextOptions
  RunAsUser:* RunAsGroup:* RunAsNonRoot:* SupplementalGroups:[i] SupplementalGroupsPolicy:*
  FSGroup=fsGroup:* FSGroupChangePolicy=fsGroupChangePolicy:* Sysctls:[Sysctl]
  SeccompProfile:*SeccompProfile AppArmorProfile:*AppArmorProfile
  SELinuxChangePolicy=seLinuxChangePolicy:*
PodSpec Volumes:[Volume] InitContainers:[Container] Containers:[Container]
  EphemeralContainers:[EphemeralContainer] RestartPolicy:s TerminationGracePeriodSeconds:*
  ActiveDeadlineSeconds:* DNSPolicy=dnsPolicy:s NodeSelector:{s} ServiceAccountName:s
  AutomountServiceAccountToken:* NodeName:s SecurityContext:*PodSecurityContext
  ImagePullSecrets:[LocalObjectReference] Hostname:s Subdomain:s SetHostnameAsFQDN:*
  Affinity:*Affinity SchedulerName:s Tolerations:[Toleration] HostAliases:[HostAlias]
  PriorityClassName:s Priority:* PreemptionPolicy:* DNSConfig=dnsConfig:*PodDNSConfig
  ReadinessGates:[PodReadinessGate] RuntimeClassName:* Overhead:{q} EnableServiceLinks:*
  TopologySpreadConstraints:[TopologySpreadConstraint] OS=os:*PodOS
  SchedulingGates:[PodSchedulingGate] ResourceClaims:[PodResourceClaim]
  Resources:*ResourceRequirements HostnameOverride:* SchedulingGroup:*PodSchedulingGroup
PolicyRulesWithSubjects Subjects:[FlowSubject] ResourceRules:[ResourcePolicyRule]
  NonResourceRules:[NonResourcePolicyRule]
PortworxVolumeSource VolumeID:s FSType=fsType:s ReadOnly:b
PreferredSchedulingTerm Weight:i Preference:NodeSelectorTerm
PriorityLevelConfigurationReference Name:s
PriorityLevelConfigurationSpec Type:s Limited:*LimitedPriorityLevelConfiguration
  Exempt:*ExemptPriorityLevelConfiguration
Probe ...ProbeHandler InitialDelaySeconds:i TimeoutSeconds:i PeriodSeconds:i SuccessThreshold:i
  FailureThreshold:i TerminationGracePeriodSeconds:*
ProbeHandler Exec:*ExecAction HTTPGet=httpGet:*HTTPGetAction TCPSocket=tcpSocket:*TCPSocketAction
  GRPC=grpc:*GRPCAction
ProjectedVolumeSource Sources:[VolumeProjection] DefaultMode:*
QueuingConfiguration Queues:i HandSize:i QueueLengthLimit:i
QuobyteVolumeSource Registry:s Volume:s ReadOnly:b User:s Group:s Tenant:s
RBDPersistentVolumeSource CephMonitors=monitors:[s] RBDImage=image:s FSType=fsType:s RBDPool=pool:s
  RadosUser=user:s Keyring:s SecretRef:*SecretReference ReadOnly:b
RBDVolumeSource CephMonitors=monitors:[s] RBDImage=image:s FSType=fsType:s RBDPool=pool:s
  RadosUser=user:s Keyring:s SecretRef:*LocalObjectReference ReadOnly:b
ResourceClaim Name:s Request:s
ResourceFieldSelector ContainerName:s Resource:s Divisor:q
ResourcePolicyRule Verbs:[s] APIGroups=apiGroups:[s] Resources:[s] ClusterScope:b Namespaces:[s]
ResourceRequirements Limits:{q} Requests:{q} Claims:[ResourceClaim]
RollingUpdateDaemonSet MaxUnavailable:x MaxSurge:x
RollingUpdateDeployment MaxUnavailable:x MaxSurge:x
RollingUpdateStatefulSetStrategy Partition:i MaxUnavailable:*
SELinuxOptions User:s Role:s Type:s Level:s
ScaleIOPersistentVolumeSource Gateway:s System:s SecretRef:*SecretReference
  SSLEnabled=sslEnabled:b ProtectionDomain:s StoragePool:s StorageMode:s VolumeName:s
  FSType=fsType:s ReadOnly:b
ScaleIOVolumeSource Gateway:s System:s SecretRef:*LocalObjectReference SSLEnabled=sslEnabled:b
  ProtectionDomain:s StoragePool:s StorageMode:s VolumeName:s FSType=fsType:s ReadOnly:b
SeccompProfile Type:s LocalhostProfile:*
SecretEnvSource ...LocalObjectReference Optional:*
SecretKeySelector ...LocalObjectReference Key:s Optional:*
SecretProjection ...LocalObjectReference Items:[KeyToPath] Optional:*
SecretReference Name:s Namespace:s
SecretVolumeSource SecretName:s Items:[KeyToPath] DefaultMode:* Optional:*
SecurityContext Capabilities:*Capabilities Privileged:*
  SELinuxOptions=seLinuxOptions:*SELinuxOptions WindowsOptions:*WindowsSecurityContextOptions
  RunAsUser:* RunAsGroup:* RunAsNonRoot:* ReadOnlyRootFilesystem:* AllowPrivilegeEscalation:*
  ProcMount:* SeccompProfile:*SeccompProfile AppArmorProfile:*AppArmorProfile
ServiceAccountSubject Namespace:s Name:s
ServiceAccountTokenProjection Audience:s ExpirationSeconds:i Path:s
ServicePort Name:s Protocol:s AppProtocol:* Port:i TargetPort:x NodePort:i
SleepAction Seconds:i
StatefulSetUpdateStrategy Type:s RollingUpdate:*RollingUpdateStatefulSetStrategy
StorageOSPersistentVolumeSource VolumeName:s VolumeNamespace:s FSType=fsType:s ReadOnly:b
  SecretRef:*ObjectReference
StorageOSVolumeSource VolumeName:s VolumeNamespace:s FSType=fsType:s ReadOnly:b
  SecretRef:*LocalObjectReference
SuccessPolicy Rules:[SuccessPolicyRule]
SuccessPolicyRule SucceededIndexes:* SucceededCount:*
Sysctl Name:s Value:s
TCPSocketAction Port:x Host:s
Taint Key:s Value:s Effect:s TimeAdded:*
Toleration Key:s Operator:s Value:s Effect:s TolerationSeconds:*
TopologySpreadConstraint MaxSkew:i TopologyKey:s WhenUnsatisfiable:s LabelSelector:* MinDomains:*
  NodeAffinityPolicy:* NodeTaintsPolicy:* MatchLabelKeys:[s]
TypedLocalObjectReference APIGroup=apiGroup:* Kind:s Name:s
TypedObjectReference APIGroup=apiGroup:* Kind:s Name:s Namespace:*
UncountedTerminatedPods Succeeded:[s] Failed:[s]
Volume Name:s ...VolumeSource
VolumeAttachmentSource PersistentVolumeName:* InlineVolumeSpec:*PersistentVolumeSpec
VolumeAttachmentSpec Attacher:s Source:VolumeAttachmentSource NodeName:s
VolumeDevice Name:s DevicePath:s
VolumeMount Name:s ReadOnly:b RecursiveReadOnly:* MountPath:s SubPath:s MountPropagation:*
  SubPathExpr:s
VolumeNodeAffinity Required:*NodeSelector
VolumeNodeResources Count:*
VolumeProjection Secret:*SecretProjection DownwardAPI:*DownwardAPIProjection
  ConfigMap:*ConfigMapProjection ServiceAccountToken:*ServiceAccountTokenProjection
  ClusterTrustBundle:*ClusterTrustBundleProjection PodCertificate:*PodCertificateProjection
VolumeResourceRequirements Limits:{q} Requests:{q}
VolumeSource HostPath:*HostPathVolumeSource EmptyDir:*EmptyDirVolumeSource
  GCEPersistentDisk=gcePersistentDisk:*GCEPersistentDiskVolumeSource
  AWSElasticBlockStore=awsElasticBlockStore:*AWSElasticBlockStoreVolumeSource
  GitRepo:*GitRepoVolumeSource Secret:*SecretVolumeSource NFS=nfs:*NFSVolumeSource
  ISCSI=iscsi:*ISCSIVolumeSource Glusterfs:*GlusterfsVolumeSource
  PersistentVolumeClaim:*PersistentVolumeClaimVolumeSource RBD=rbd:*RBDVolumeSource
  Quobyte:*QuobyteVolumeSource FlexVolume:*FlexVolumeSource Cinder:*CinderVolumeSource
  CephFS=cephfs:*CephFSVolumeSource Flocker:*FlockerVolumeSource
  DownwardAPI:*DownwardAPIVolumeSource FC=fc:*FCVolumeSource AzureFile:*AzureFileVolumeSource
  ConfigMap:*ConfigMapVolumeSource VsphereVolume:*VsphereVirtualDiskVolumeSource
  AzureDisk:*AzureDiskVolumeSource PhotonPersistentDisk:*PhotonPersistentDiskVolumeSource
  Projected:*ProjectedVolumeSource PortworxVolume:*PortworxVolumeSource
  ScaleIO:*ScaleIOVolumeSource StorageOS=storageos:*StorageOSVolumeSource CSI=csi:*CSIVolumeSource
  Ephemeral:*EphemeralVolumeSource Image:*ImageVolumeSource
VsphereVirtualDiskVolumeSource VolumePath:s FSType=fsType:s StoragePolicyName:s StoragePolicyID:s
WeightedPodAffinityTerm Weight:i PodAffinityTerm:PodAffinityTerm
WindowsSecurityContextOptions GMSACredentialSpecName=gmsaCredentialSpecName:*
  GMSACredentialSpec=gmsaCredentialSpec:* RunAsUserName:* HostProcess:*
`
