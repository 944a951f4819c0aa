/** Linux keeps the contract of test/contract/kernel.ts. */
import { kernelContract } from '../contract/kernel.ts'
import { linuxWorld } from '../contract/linux-world.ts'

kernelContract('linux', { setUp: linuxWorld })
