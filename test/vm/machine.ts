/**
 * A machine: QEMU without KVM, Debian's kernel, the host's file system as its own (init.sh), a disk that keeps what it writes, and
 * two cards. The first leads out and is the same on every machine; the second is on a wire with the other machines.
 *
 *   const machine = new Machine(1, { folder, checkout, kernel, initramfs, archive })
 *   await machine.switchOn()
 *   await machine.run('uname -r')
 *   await machine.switchOff()
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Kernel } from './initramfs.ts'

export interface Surroundings {
  /** For disks and logs. */
  readonly folder: string
  /** Its path on the host; in the machine it is CHECKOUT. */
  readonly checkout: string
  readonly kernel: Kernel
  readonly initramfs: string
  /** A file that the machine reads as /dev/vdb. Through 9p it would take minutes. */
  readonly archive: string
}

/** Any: the machines' namespace has no other listeners. Each datagram to the group is a frame. */
const WIRE = 'mcast=230.56.0.1:5600,localaddr=127.0.0.1'

/** With -cpu max everything takes three times as long: page tables of five levels, copies byte by byte. */
const CPU = 'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand'
const MEMORY = '1024M'
const DISK = 4 * 2 ** 30

/** Where the machine sees the checkout. */
export const CHECKOUT = '/mnt'

/** Milliseconds. */
const BOOT_LIMIT = 600_000

interface Answer {
  readonly status: number
  readonly output: string
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

export class Machine {
  readonly name: string
  readonly #number: number
  readonly #surroundings: Surroundings
  readonly #disk: string
  readonly #console: string
  #process: ChildProcess | undefined
  /** By the command's number; 0 is the greeting. */
  readonly #waiting = new Map<number, Waiting>()
  #commands = 0

  constructor(number: number, surroundings: Surroundings) {
    this.name = `n${number}`
    this.#number = number
    this.#surroundings = surroundings
    this.#disk = join(surroundings.folder, `n${number}.disk`)
    this.#console = join(surroundings.folder, `n${number}.console`)
  }

  /** Answers when it has booted. */
  async switchOn(): Promise<void> {
    if (!existsSync(this.#disk)) makeDisk(this.#disk)
    // Nothing of ours outlives us, however we end.
    const argv = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...this.#options()]
    const child = spawn('setpriv', argv, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process = child
    const errors: string[] = []
    child.stderr.on('data', (bytes: Buffer) => errors.push(String(bytes)))
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line))
    child.once('error', (error) => this.#fail(error))
    child.once('exit', () => this.#fail(new Error(`n${this.#number} is off: ${errors.join('')}`)))
    const timer = setTimeout(
      () => this.#fail(new Error(`n${this.#number} did not boot: ${this.console()}`)),
      BOOT_LIMIT,
    )
    try {
      await this.#answerTo(0)
    } finally {
      clearTimeout(timer)
    }
  }

  /** As when the power is cut. */
  async switchOff(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** What the command wrote, stdout and stderr. Throws with it when the command fails. */
  async run(command: string): Promise<string> {
    if (!this.#process) throw new Error(`Cannot run "${command}" on n${this.#number}: it is off`)
    const number = ++this.#commands
    const answer = this.#answerTo(number)
    this.#process.stdin!.write(`${number} ${Buffer.from(command).toString('base64')}\n`)
    const { status, output } = await answer
    if (status !== 0) throw new Error(`"${command}" failed on n${this.#number} with status ${status}:\n${output}`)
    return output
  }

  /** What the kernel said, the last of it. */
  console(): string {
    return existsSync(this.#console) ? readFileSync(this.#console, 'utf8').slice(-2000) : ''
  }

  #options(): string[] {
    const { checkout, kernel, initramfs, archive } = this.#surroundings
    const n = this.#number
    const words = [
      'console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable',
      // Without it a boot stops on a busy host: "8254 timer not connected to IO-APIC".
      'no_timer_check net.ifnames=0',
      // Words that the kernel does not know become init's environment.
      `NUMBER=${n} CHECKOUT=${checkout} MODULES=${kernel.modules}`,
    ]
    return [
      ...['-M', 'q35', '-accel', 'tcg,tb-size=256', '-cpu', CPU, '-smp', '1', '-m', MEMORY],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-kernel', kernel.image, '-initrd', initramfs, '-append', words.join(' ')],
      ...['-serial', `file:${this.#console}`],
      ...['-virtfs', 'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap'],
      // It need not outlive a crash of the host, only the machine's.
      ...['-drive', `file=${this.#disk},if=none,id=disk,format=raw,cache=unsafe`],
      ...['-device', 'virtio-blk-pci,drive=disk'],
      ...['-drive', `file=${archive},if=none,id=archive,format=raw,readonly=on`],
      ...['-device', 'virtio-blk-pci,drive=archive'],
      ...['-netdev', 'user,id=out,restrict=on', '-device', 'virtio-net-pci,netdev=out,romfile=,mac=02:00:00:00:00:15'],
      ...['-netdev', `socket,id=wire,${WIRE}`],
      ...['-device', `virtio-net-pci,netdev=wire,romfile=,mac=02:56:00:00:00:1${n}`],
      ...['-chardev', 'stdio,id=commands,signal=off', '-device', 'virtio-serial-pci'],
      ...['-device', 'virtserialport,chardev=commands,name=commands'],
    ]
  }

  #answerTo(number: number): Promise<Answer> {
    return new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }))
  }

  #hear(line: string): void {
    const [number, status, output = ''] = line.split(' ')
    this.#waiting.get(Number(number))?.resolve({
      status: Number(status),
      output: Buffer.from(output, 'base64').toString(),
    })
    this.#waiting.delete(Number(number))
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

function makeDisk(file: string): void {
  const descriptor = openSync(file, 'wx')
  ftruncateSync(descriptor, DISK)
  closeSync(descriptor)
  execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1', file])
}
