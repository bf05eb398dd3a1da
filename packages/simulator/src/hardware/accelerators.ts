/** What one accelerator can do by its maker's data sheet: peaks, which no kernel reaches. */
export interface Accelerator {
  readonly name: string;
  /** Memory as the driver shows it: a "256 GB" card has 256 GiB. */
  readonly memoryBytes: number;
  readonly memoryBytesPerS: number;
  /** Dense, without sparsity. */
  readonly peakFlops: { readonly fp8: number; readonly bf16: number };
  /** To all its peers together, in one direction. */
  readonly linkBytesPerS: number;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/**
 * Data-sheet figures. MI3xx: seven Infinity Fabric links of 64 GB/s in each direction; Hopper: NVLink 4, 450 GB/s in
 * each direction.
 */
export const accelerators = {
  mi325x: {
    name: "AMD Instinct MI325X",
    memoryBytes: 256 * GIB,
    memoryBytesPerS: 6e12,
    peakFlops: { fp8: 2614.9e12, bf16: 1307.4e12 },
    linkBytesPerS: 448e9,
  },
  mi300x: {
    name: "AMD Instinct MI300X",
    memoryBytes: 192 * GIB,
    memoryBytesPerS: 5.3e12,
    peakFlops: { fp8: 2614.9e12, bf16: 1307.4e12 },
    linkBytesPerS: 448e9,
  },
  "h200-sxm": {
    name: "NVIDIA H200 SXM",
    memoryBytes: 143_771 * MIB,
    memoryBytesPerS: 4.8e12,
    peakFlops: { fp8: 1979e12, bf16: 989.5e12 },
    linkBytesPerS: 450e9,
  },
  "h100-sxm": {
    name: "NVIDIA H100 SXM",
    memoryBytes: 81_559 * MIB,
    memoryBytesPerS: 3.35e12,
    peakFlops: { fp8: 1979e12, bf16: 989.5e12 },
    linkBytesPerS: 450e9,
  },
} as const satisfies Readonly<Record<string, Accelerator>>;

export type HardwareName = keyof typeof accelerators;
