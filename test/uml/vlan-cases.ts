/** Cases of test/conformance/cases/open that need bridge VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING), which not every kernel has. */
export const vlanCases: readonly string[] = ['bridge-vlan-100']
