/**
 * What every implementation of Sys does, call by call. Node runs this list in sys.test.ts; the plugin executable's C file
 * runs the same list inside an executable of its own. So nothing of Node is used here.
 */
import type { Sys } from '../../src/linux/sys.ts'

export interface Claim {
  readonly title: string
  /** Throws what `assert` throws when the claim does not hold. */
  check(): void
}

export type Assert = (holds: boolean, message: string) => void

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20
const FIONREAD = 0x541b
const NS_GET_NSTYPE = 0xb703
const CLONE_NEWNET = 0x40000000
const CLONE_NEWNS = 0x20000
const MS_PRIVATE_REC = 0x44000
const POLLIN = 1
const O_RDONLY = 0
const O_WRONLY = 1
const O_RDWR = 2
const O_CREAT = 0o100
const O_EXCL = 0o200
const O_CLOEXEC = 0o2000000
const AT_SYMLINK_NOFOLLOW = 0x100
const LOCK_EX = 2
const LOCK_NB = 4
const CLOCK_REALTIME = 0
const CLOCK_MONOTONIC = 1
const STATX_SIZE = 256
const MILLISECOND = 1_000_000n

const ENOENT = 2
const EBADF = 9
const EAGAIN = 11
const EACCES = 13
const EEXIST = 17
const ENOTDIR = 20
const EINVAL = 22
const ENOTEMPTY = 39
const EMSGSIZE = 90
const ECONNREFUSED = 111

/** The claims; `directory` is an empty one, on a file system that has mode bits. Root is needed, and namespaces of one's own. */
export function sysClaims(sys: Sys, assert: Assert, directory: string): Claim[] {
  const claims: Claim[] = []
  const claim = (title: string, check: () => void) => claims.push({ title, check })

  function equal(actual: unknown, expected: unknown, what = 'the answer'): void {
    assert(actual === expected, `${what} is ${String(actual)} instead of ${String(expected)}`)
  }

  function refuses(call: () => unknown, what: string): void {
    let error: unknown
    try {
      call()
    } catch (thrown) {
      error = thrown
    }
    assert(error instanceof RangeError, `${what}: no RangeError but ${String(error)}`)
  }

  /** A new file in the directory, open; the number makes its name. */
  let files = 0
  const newPath = () => `${directory}/${++files}`
  function withFile(use: (fd: number, path: string) => void, text = ''): void {
    const path = newPath()
    const fd = sys.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    assert(fd >= 0, `open answers ${fd}`)
    try {
      const bytes = sys.encode(text)
      equal(sys.write(fd, bytes, bytes.length), bytes.length, 'what was written')
      use(fd, path)
    } finally {
      sys.close(fd)
      sys.unlink(path)
    }
  }

  function readText(path: string): string {
    const fd = sys.open(path, O_RDONLY | O_CLOEXEC, 0)
    assert(fd >= 0, `open of ${path} answers ${fd}`)
    const bytes = new Uint8Array(65536)
    const length = sys.read(fd, bytes)
    sys.close(fd)
    return sys.decode(bytes.subarray(0, length))
  }

  function status(path: string, flags = 0): { size: number; mode: number; inode: bigint } {
    const bytes = new Uint8Array(STATX_SIZE)
    equal(sys.statx(path, flags, bytes), 0, `statx of ${path}`)
    const view = new DataView(bytes.buffer)
    return {
      mode: view.getUint16(0x1c, true),
      inode: view.getBigUint64(0x20, true),
      size: Number(view.getBigUint64(0x28, true)),
    }
  }

  function linkTarget(path: string): string {
    const bytes = new Uint8Array(256)
    const length = sys.readlink(path, bytes)
    assert(length > 0, `readlink of ${path} answers ${length}`)
    return sys.decode(bytes.subarray(0, length))
  }

  /** struct sockaddr_un. */
  function unixAddress(path: string): Uint8Array {
    const name = sys.encode(path)
    const address = new Uint8Array(2 + name.length + 1)
    address[0] = AF_UNIX
    address.set(name, 2)
    return address
  }

  /** Two datagram sockets, each bound to a path. */
  function withSockets(use: (a: number, b: number, addressOfB: Uint8Array, pathOfA: string) => void): void {
    const paths = [newPath(), newPath()] as const
    const sockets = paths.map((path) => {
      const socket = sys.socket(AF_UNIX, SOCK_DGRAM, 0)
      assert(socket >= 0, `socket answers ${socket}`)
      equal(sys.bind(socket, unixAddress(path)), 0, 'bind')
      return socket
    })
    try {
      use(sockets[0]!, sockets[1]!, unixAddress(paths[1]), paths[0])
    } finally {
      for (const socket of sockets) sys.close(socket)
      for (const path of paths) sys.unlink(path)
    }
  }

  claim('socket answers the negated errno when it cannot', () => equal(sys.socket(-1, 0, 0), -97))

  claim('bind gives the socket its address, and a taken one is EADDRINUSE', () => {
    withSockets((_a, _b, address) => {
      const third = sys.socket(AF_UNIX, SOCK_DGRAM, 0)
      equal(sys.bind(third, address), -98, 'a taken address')
      sys.close(third)
    })
  })

  claim('getsockname answers the length of the address and writes it', () => {
    withSockets((_a, b, addressOfB) => {
      const address = new Uint8Array(110)
      equal(sys.getsockname(b, address), addressOfB.length)
      for (const [i, byte] of addressOfB.entries()) equal(address[i], byte, `byte ${i}`)
      equal(sys.getsockname(b, new Uint8Array(4)), addressOfB.length, 'the length for a buffer that is too short')
    })
  })

  claim('send sends the first bytes of the buffer, to whom connect says', () => {
    withSockets((a, b, addressOfB) => {
      equal(sys.connect(a, addressOfB), 0, 'connect')
      equal(sys.send(a, sys.encode('hello'), 4, 0), 4, 'send')
      const bytes = new Uint8Array(16)
      equal(sys.recv(b, bytes, 0), 4, 'recv')
      equal(sys.decode(bytes.subarray(0, 4)), 'hell')
      equal(bytes[4], 0, 'the byte behind')
    })
  })

  claim('send never reaches past the buffer', () => {
    refuses(() => sys.send(-1, new Uint8Array(4), 5, 0), 'send')
    refuses(() => sys.send(-1, new Uint8Array(4), -1, 0), 'send of a negative length')
    refuses(() => sys.sendto(-1, new Uint8Array(4), 5, 0, new Uint8Array(2)), 'sendto')
    refuses(() => sys.write(-1, new Uint8Array(4), 5), 'write')
    refuses(() => sys.statx('/', 0, new Uint8Array(STATX_SIZE - 1)), 'statx')
  })

  claim('send sends a part of a bigger buffer, from where the view begins', () => {
    withSockets((a, b, addressOfB) => {
      sys.connect(a, addressOfB)
      const whole = sys.encode('0123456789')
      sys.send(a, whole.subarray(3, 6), 3, 0)
      const bytes = new Uint8Array(8)
      equal(sys.recv(b, bytes.subarray(2), 0), 3, 'recv')
      equal(sys.decode(bytes.subarray(2, 5)), '345')
    })
  })

  claim('sendto sends to an address, recvfrom tells the sender', () => {
    withSockets((a, b, addressOfB, pathOfA) => {
      equal(sys.sendto(a, sys.encode('ping'), 4, 0, addressOfB), 4, 'sendto')
      const bytes = new Uint8Array(16)
      const sender = new Uint8Array(110)
      equal(sys.recvfrom(b, bytes, 0, sender), 4, 'recvfrom')
      equal(sys.decode(sender.subarray(2, sender.indexOf(0, 2))), pathOfA, 'the sender')
    })
  })

  claim('recv answers EAGAIN when there is nothing, and with MSG_TRUNC the length of what did not fit', () => {
    withSockets((a, b, addressOfB) => {
      equal(sys.recv(b, new Uint8Array(4), MSG_DONTWAIT), -EAGAIN)
      sys.sendto(a, sys.encode('longer'), 6, 0, addressOfB)
      equal(sys.recv(b, new Uint8Array(2), MSG_TRUNC), 6)
    })
  })

  claim('setsockopt sets a receive timeout that recv keeps to', () => {
    withSockets((_a, b) => {
      const timeout = new Uint8Array(new BigInt64Array([0n, 20_000n]).buffer) // struct timeval: 20 ms
      equal(sys.setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, timeout), 0, 'setsockopt')
      const start = sys.clock(CLOCK_MONOTONIC)
      equal(sys.recv(b, new Uint8Array(4), 0), -EAGAIN, 'recv')
      assert(sys.clock(CLOCK_MONOTONIC) - start >= 15n * MILLISECOND, 'recv did not wait')
      equal(sys.setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(1)), -EINVAL, 'a value too short')
    })
  })

  claim('ioctl passes bytes by their address, and numbers as they are', () => {
    withSockets((a, b, addressOfB) => {
      sys.sendto(a, sys.encode('seven b'), 7, 0, addressOfB)
      const count = new Uint8Array(4)
      equal(sys.ioctl(b, FIONREAD, count), 0, 'FIONREAD')
      equal(count[0]! + count[3]!, 7, 'bytes that wait')
    })
    const namespace = sys.open('/proc/self/ns/net', O_RDONLY | O_CLOEXEC, 0)
    equal(sys.ioctl(namespace, NS_GET_NSTYPE, 0), CLONE_NEWNET, 'NS_GET_NSTYPE')
    sys.close(namespace)
  })

  claim('poll waits until its time is over, and says what is ready', () => {
    withSockets((a, b, addressOfB) => {
      const fds = new Uint8Array(16) // two struct pollfd: descriptor (4), events (2), answer (2)
      const view = new DataView(fds.buffer)
      for (const [i, fd] of [a, b].entries()) {
        view.setInt32(8 * i, fd, true)
        view.setInt16(8 * i + 4, POLLIN, true)
      }
      const start = sys.clock(CLOCK_MONOTONIC)
      equal(sys.poll(fds, 20), 0, 'poll of quiet sockets')
      assert(sys.clock(CLOCK_MONOTONIC) - start >= 15n * MILLISECOND, 'poll did not wait')
      sys.sendto(a, sys.encode('x'), 1, 0, addressOfB)
      equal(sys.poll(fds, -1), 1, 'poll')
      equal(view.getInt16(6, true), 0, 'the quiet one')
      equal(view.getInt16(14, true), POLLIN, 'the ready one')
    })
  })

  claim('unshare makes a network namespace, and setns goes back', () => {
    const home = sys.open('/proc/self/ns/net', O_RDONLY | O_CLOEXEC, 0)
    const before = linkTarget('/proc/self/ns/net')
    equal(sys.unshare(CLONE_NEWNET), 0, 'unshare')
    const inside = linkTarget('/proc/self/ns/net')
    equal(sys.setns(home, CLONE_NEWNET), 0, 'setns')
    sys.close(home)
    assert(inside !== before, 'unshare changed nothing')
    equal(linkTarget('/proc/self/ns/net'), before, 'the namespace afterwards')
    equal(sys.setns(-1, CLONE_NEWNET), -EBADF, 'setns of nothing')
  })

  claim('mount mounts and umount2 unmounts', () => {
    equal(sys.unshare(CLONE_NEWNS), 0, 'unshare')
    equal(sys.mount('none', '/', '', MS_PRIVATE_REC, ''), 0, 'making mounts private')
    const path = newPath()
    sys.mkdir(path, 0o755)
    equal(sys.mount('tmpfs', path, 'tmpfs', 0, 'mode=0711'), 0, 'mount')
    equal(status(path).mode & 0o777, 0o711, 'the mode that the mount data asks for')
    equal(sys.umount2(path, 0), 0, 'umount2')
    equal(sys.umount2(path, 0), -EINVAL, 'umount2 of what is not mounted')
    sys.rmdir(path)
  })

  claim('open creates, refuses what is there, and finds nothing where nothing is', () => {
    withFile((_fd, path) => {
      equal(sys.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600), -EEXIST, 'an exclusive open')
      equal(sys.open(`${path}/below`, O_RDONLY, 0), -ENOTDIR, 'below a file')
    })
    equal(sys.open(`${directory}/nothing`, O_RDONLY, 0), -ENOENT, 'nothing')
  })

  claim('a name with a NUL in it is refused by every call that takes one', () => {
    const name = `${directory}/a\0b`
    const other = `${directory}/c`
    refuses(() => sys.open(name, O_WRONLY | O_CREAT, 0o600), 'open')
    refuses(() => sys.mkdir(name, 0o700), 'mkdir')
    refuses(() => sys.rmdir(name), 'rmdir')
    refuses(() => sys.unlink(name), 'unlink')
    refuses(() => sys.rename(name, other), 'rename from')
    refuses(() => sys.rename(other, name), 'rename to')
    refuses(() => sys.link(name, other, 0), 'link from')
    refuses(() => sys.link(other, name, 0), 'link to')
    refuses(() => sys.readlink(name, new Uint8Array(8)), 'readlink')
    refuses(() => sys.statx(name, 0, new Uint8Array(STATX_SIZE)), 'statx')
    refuses(() => sys.mount('none', name, 'tmpfs', 0, ''), 'mount')
    refuses(() => sys.umount2(name, 0), 'umount2')
  })

  claim('close gives the descriptor back', () => {
    const fd = sys.open(directory, O_RDONLY | O_CLOEXEC, 0)
    equal(sys.close(fd), 0, 'close')
    equal(sys.close(fd), -EBADF, 'closing twice')
    equal(sys.open(directory, O_RDONLY | O_CLOEXEC, 0), fd, 'the next descriptor')
    sys.close(fd)
  })

  claim('read reads what write wrote, and 0 at the end', () => {
    withFile((fd, path) => {
      const bytes = new Uint8Array(4)
      equal(sys.read(fd, bytes), 0, 'at the end')
      const reader = sys.open(path, O_RDONLY | O_CLOEXEC, 0)
      equal(sys.read(reader, bytes), 4, 'the first part')
      equal(sys.decode(bytes), 'twel')
      equal(sys.read(reader, new Uint8Array(100)), 8, 'the rest')
      sys.close(reader)
      equal(sys.write(fd, sys.encode('only this'), 4), 4, 'a part of a buffer')
      equal(status(path).size, 16, 'the size')
      equal(sys.read(-1, bytes), -EBADF, 'reading nothing')
    }, 'twelve bytes')
  })

  claim('fsync, ftruncate and fchmod work on the open file', () => {
    withFile((fd, path) => {
      equal(sys.fsync(fd), 0, 'fsync')
      equal(sys.ftruncate(fd, 2), 0, 'ftruncate')
      equal(status(path).size, 2, 'the size')
      equal(sys.fchmod(fd, 0o604), 0, 'fchmod')
      equal(status(path).mode & 0o7777, 0o604, 'the mode')
      equal(sys.fsync(-1), -EBADF, 'fsync of nothing')
      equal(sys.ftruncate(fd, -1), -EINVAL, 'ftruncate to less than nothing')
      equal(sys.fchmod(-1, 0o600), -EBADF, 'fchmod of nothing')
    }, 'text')
  })

  claim('flock keeps others out until the file is closed', () => {
    withFile((fd, path) => {
      const other = sys.open(path, O_RDWR | O_CLOEXEC, 0)
      equal(sys.flock(fd, LOCK_EX), 0, 'the first')
      equal(sys.flock(other, LOCK_EX | LOCK_NB), -EAGAIN, 'the second')
      sys.close(fd)
      equal(sys.flock(other, LOCK_EX | LOCK_NB), 0, 'the second, after the first closed')
      sys.close(other)
    })
  })

  claim('mkdir and rmdir make and remove directories', () => {
    const path = newPath()
    equal(sys.mkdir(path, 0o700), 0, 'mkdir')
    equal(status(path).mode & 0o170777, 0o040700, 'the mode')
    equal(sys.mkdir(path, 0o700), -EEXIST, 'mkdir of what is there')
    equal(sys.rmdir(directory), -ENOTEMPTY, 'rmdir of what is not empty')
    equal(sys.rmdir(path), 0, 'rmdir')
    equal(sys.rmdir(path), -ENOENT, 'rmdir of nothing')
  })

  claim('link, rename and unlink change names', () => {
    withFile((_fd, path) => {
      const [second, third] = [newPath(), newPath()]
      equal(sys.link(path, second, 0), 0, 'link')
      equal(sys.link(path, second, 0), -EEXIST, 'link to what is there')
      equal(status(second).inode, status(path).inode, 'the inode')
      equal(sys.rename(second, third), 0, 'rename')
      equal(sys.rename(second, third), -ENOENT, 'rename of nothing')
      equal(sys.unlink(third), 0, 'unlink')
      equal(sys.unlink(third), -ENOENT, 'unlink of nothing')
    })
  })

  claim('readlink answers the length of the target and writes as much as fits', () => {
    withFile((fd, path) => {
      equal(linkTarget(`/proc/self/fd/${fd}`), path)
      const short = new Uint8Array(3)
      equal(sys.readlink(`/proc/self/fd/${fd}`, short), 3, 'a short buffer')
      equal(sys.decode(short), path.slice(0, 3))
      equal(sys.readlink(path, short), -EINVAL, 'of no link')
    })
  })

  claim('statx follows symbolic links, or not', () => {
    equal(status('/proc/self').mode & 0o170000, 0o040000, 'followed: a directory')
    equal(status('/proc/self', AT_SYMLINK_NOFOLLOW).mode & 0o170000, 0o120000, 'not followed: a link')
    equal(sys.statx(`${directory}/nothing`, 0, new Uint8Array(STATX_SIZE)), -ENOENT, 'of nothing')
  })

  claim('getdents64 lists a directory, then answers 0', () => {
    const path = newPath()
    sys.mkdir(path, 0o755)
    sys.mkdir(`${path}/inner`, 0o755)
    const fd = sys.open(path, O_RDONLY | O_CLOEXEC, 0)
    const bytes = new Uint8Array(1024)
    const length = sys.getdents64(fd, bytes)
    const names: string[] = []
    for (let at = 0; at < length; at += bytes[at + 16]! + 256 * bytes[at + 17]!) {
      names.push(sys.decode(bytes.subarray(at + 19, bytes.indexOf(0, at + 19))))
    }
    equal(names.sort().join(' '), '. .. inner')
    equal(sys.getdents64(fd, bytes), 0, 'at the end')
    sys.close(fd)
    sys.rmdir(`${path}/inner`)
    sys.rmdir(path)
  })

  claim('getrandom fills the buffer, differently each time', () => {
    const [a, b] = [new Uint8Array(32), new Uint8Array(32)]
    equal(sys.getrandom(a), 32)
    equal(sys.getrandom(b), 32)
    assert(a.join() !== b.join(), 'twice the same bytes')
  })

  claim('clock tells the time in nanoseconds, and sleep lets it pass', () => {
    const year2020 = 1_577_836_800n * 1000n * MILLISECOND
    assert(sys.clock(CLOCK_REALTIME) > year2020, 'the real time lies before 2020')
    const start = sys.clock(CLOCK_MONOTONIC)
    sys.sleep(30)
    const slept = sys.clock(CLOCK_MONOTONIC) - start
    assert(slept >= 29n * MILLISECOND && slept < 5000n * MILLISECOND, `it slept ${slept} ns instead of 30 ms`)
    sys.sleep(0)
  })

  claim('getpid is the number under which /proc knows us', () => equal(`${sys.getpid()}`, linkTarget('/proc/self')))

  claim('environment has what the process was started with', () => {
    const path = readText('/proc/self/environ')
      .split('\0')
      .find((variable) => variable.startsWith('PATH='))
    equal(sys.environment().PATH, path?.slice('PATH='.length))
    equal(sys.environment().SURELY_NOT_THERE, undefined)
  })

  claim('executable is a file that is there', () => equal(status(sys.executable()).mode & 0o170000, 0o100000))

  // UTF-8: text, its bytes.
  for (const { text, bytes } of [
    { text: '', bytes: [] },
    { text: 'plain', bytes: [0x70, 0x6c, 0x61, 0x69, 0x6e] },
    { text: 'a\0b', bytes: [0x61, 0, 0x62] },
    { text: 'ä€', bytes: [0xc3, 0xa4, 0xe2, 0x82, 0xac] },
    { text: '😀', bytes: [0xf0, 0x9f, 0x98, 0x80] },
    { text: '\ufeffmark', bytes: [0xef, 0xbb, 0xbf, 0x6d, 0x61, 0x72, 0x6b] },
  ]) {
    claim(`encode and decode "${text.replace('\0', '\\0')}"`, () => {
      equal(sys.encode(text).join(), bytes.join(), 'encoded')
      equal(sys.decode(Uint8Array.from(bytes)), text, 'decoded')
    })
  }

  claim('encode writes U+FFFD for a lone surrogate', () => {
    equal(sys.encode('a\ud83d').join(), '97,239,191,189')
    equal(sys.encode('\ude00b').join(), '239,191,189,98')
  })

  // Each row: bytes that are no UTF-8, and the text. One U+FFFD per maximal part, as the Encoding Standard says.
  for (const [bytes, text] of [
    [[0x61, 0xff, 0x62], 'a\ufffdb'],
    [[0xe2, 0x82], '\ufffd'],
    [[0xe2, 0x82, 0x61], '\ufffda'],
    [[0xc0, 0xaf], '\ufffd\ufffd'],
    [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    [[0xf5, 0x80], '\ufffd\ufffd'],
    [[0x80], '\ufffd'],
  ] as const) {
    claim(`decode writes U+FFFD for bad bytes: ${bytes.map((byte) => byte.toString(16)).join(' ')}`, () =>
      equal(sys.decode(Uint8Array.from(bytes)), text),
    )
  }

  claim('run gives a program its arguments, environment and stdin, and collects what it writes', () => {
    const script = 'cat; echo "$0 $1 $GIVEN $HOME"; echo trouble >&2; exit 7'
    const environment = { GIVEN: 'variable', PATH: '/usr/bin:/bin' }
    const result = sys.run('/bin/sh', ['name', '-c', script, 'zero', 'one'], environment, sys.encode('input '))
    equal(result.status, 7, 'the status')
    equal(sys.decode(result.stdout), 'input zero one variable \n', 'stdout')
    equal(sys.decode(result.stderr), 'trouble\n', 'stderr')
  })

  claim('run calls the program by the name in argv', () => {
    const { stdout } = sys.run(
      '/bin/sh',
      ['a-name', '-c', 'tr "\\0" " " < /proc/$$/cmdline'],
      { PATH: '/bin' },
      sys.encode(''),
    )
    equal(sys.decode(stdout).slice(0, 10), 'a-name -c ')
  })

  claim('run tells the signal that ended the program', () => {
    equal(sys.run('/bin/sh', ['sh', '-c', 'kill -9 $$'], {}, new Uint8Array()).status, 128 + 9)
  })

  claim('run copes with much input and output, and with a program that reads none', () => {
    const much = new Uint8Array(1_000_000).fill(0x61)
    const { status, stdout } = sys.run('/bin/cat', ['cat'], {}, much)
    equal(status, 0, 'the status of cat')
    equal(stdout.length, much.length, 'the bytes that came back')
    equal(sys.run('/bin/true', ['true'], {}, much).status, 0, 'the status of true')
  })

  claim('run answers the negated errno for what cannot be started', () => {
    equal(sys.run(`${directory}/nothing`, ['nothing'], {}, new Uint8Array()).status, -ENOENT)
    equal(sys.run('cat', ['cat'], { PATH: '/bin' }, new Uint8Array()).status, -ENOENT, 'a name without a path')
    withFile((_fd, path) => equal(sys.run(path, ['file'], {}, new Uint8Array()).status, -EACCES, 'no executable'))
  })

  claim('run leaves no descriptor behind', () => {
    const next = () => {
      const fd = sys.open(directory, O_RDONLY | O_CLOEXEC, 0)
      sys.close(fd)
      return fd
    }
    sys.run('/bin/true', ['true'], {}, new Uint8Array()) // whatever is opened once
    const before = next()
    sys.run('/bin/true', ['true'], {}, new Uint8Array())
    sys.run(`${directory}/nothing`, ['nothing'], {}, new Uint8Array())
    equal(next(), before, 'the next descriptor')
  })

  claim('connect to a unix socket is ENOENT where none is, and ECONNREFUSED where nobody listens', () => {
    const path = newPath()
    const address = Uint8Array.of(AF_UNIX, 0, ...sys.encode(path), 0)
    const asker = sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
    equal(sys.connect(asker, address), -ENOENT, 'to nothing')
    const other = sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
    equal(sys.bind(other, address), 0, 'bind')
    equal(sys.connect(asker, address), -ECONNREFUSED, 'to one that does not listen')
    sys.close(asker)
    sys.close(other)
    sys.unlink(path)
  })

  claim('a datagram longer than a socket takes is EMSGSIZE', () => {
    withSockets((a, _b, addressOfB) => {
      const huge = new Uint8Array(8_000_000)
      equal(sys.sendto(a, huge, huge.length, 0, addressOfB), -EMSGSIZE)
    })
  })

  return claims
}
