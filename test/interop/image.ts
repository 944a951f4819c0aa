/** A container image of one program, busybox, as an archive that containerd and podman import: OCI Image Layout 1.0.0. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { debianPackage } from '../support/peers.ts'

export const IMAGE = 'docker.io/overlab/busybox:1'

/** What the tests run inside a container. */
const APPLETS = ['cat', 'ip', 'ping', 'sh', 'sleep']

/** Writes the archive. */
export function buildImage(archive: string): void {
  const scratch = mkdtempSync(join(tmpdir(), 'overlab-image-'))
  try {
    const layer = buildLayer(scratch)
    const layout = join(scratch, 'layout')
    mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
    const layerBlob = writeBlob(layout, gzipSync(layer))
    const configBlob = writeJsonBlob(layout, {
      architecture: 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/bin'], Cmd: ['/bin/sleep', '3600'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    })
    const manifestBlob = writeJsonBlob(layout, {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...configBlob },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...layerBlob }],
    })
    writeJson(join(layout, 'oci-layout'), { imageLayoutVersion: '1.0.0' })
    writeJson(join(layout, 'index.json'), {
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifestBlob,
          annotations: { 'io.containerd.image.name': IMAGE, 'org.opencontainers.image.ref.name': IMAGE },
        },
      ],
    })
    execFileSync('tar', ['-C', layout, '-cf', archive, '.'])
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function buildLayer(scratch: string): Buffer {
  const tree = join(scratch, 'tree')
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp', 'run']) {
    mkdirSync(join(tree, folder), { recursive: true })
  }
  copyFileSync(join(debianPackage('busybox-static'), 'bin/busybox'), join(tree, 'bin/busybox'))
  for (const applet of APPLETS) symlinkSync('busybox', join(tree, 'bin', applet))
  return execFileSync('tar', ['-C', tree, '-cf', '-', '.'], { maxBuffer: 1 << 26 })
}

function writeBlob(layout: string, bytes: Uint8Array): { readonly digest: string; readonly size: number } {
  writeFileSync(join(layout, 'blobs/sha256', sha256(bytes)), bytes)
  return { digest: `sha256:${sha256(bytes)}`, size: bytes.length }
}

function writeJsonBlob(layout: string, value: unknown): { readonly digest: string; readonly size: number } {
  return writeBlob(layout, Buffer.from(JSON.stringify(value)))
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, JSON.stringify(value))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
