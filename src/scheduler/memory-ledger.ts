interface Version {
  /** Of what was measured, the newest counting most; null before the first. */
  mean: number | null;
  /** Sandboxes of it that have not been measured. */
  unmeasured: number;
}

interface Entry {
  versionKey: string;
  bytes: number | null;
}

const WEIGHT = 0.2;

/**
 * What every live sandbox holds: the last measurement, else the mean of its version's, else the mean of all, else a guess. The sum is kept, not made, so that it
 * can be asked for with every start.
 */
export class MemoryLedger {
  readonly #guessBytes: number;
  readonly #entries = new Map<string, Entry>();
  readonly #versions = new Map<string, Version>();
  #overall: number | null = null;
  #measuredBytes = 0;
  #estimatedBytes = 0;
  /** Unmeasured sandboxes of versions without a mean. */
  #unknown = 0;

  constructor(guessBytes: number) {
    this.#guessBytes = guessBytes;
  }

  get totalBytes(): number {
    return this.#measuredBytes + this.#estimatedBytes + this.#unknown * (this.#overall ?? this.#guessBytes);
  }

  estimate(versionKey: string): number {
    return this.#versions.get(versionKey)?.mean ?? this.#overall ?? this.#guessBytes;
  }

  /** Whether nothing of that version was ever measured. */
  isUnknown(versionKey: string): boolean {
    return (this.#versions.get(versionKey)?.mean ?? null) === null;
  }

  /** Undefined for a sandbox that is not there. */
  bytesOf(id: string): number | undefined {
    const entry = this.#entries.get(id);
    return entry && (entry.bytes ?? this.estimate(entry.versionKey));
  }

  add(id: string, versionKey: string): void {
    this.remove(id);
    this.#entries.set(id, { versionKey, bytes: null });
    this.#countUnmeasured(this.#version(versionKey), 1);
  }

  /** @returns what it held; 0 when it was not there */
  remove(id: string): number {
    const entry = this.#entries.get(id);
    if (!entry) return 0;
    const bytes = this.bytesOf(id) as number;
    this.#entries.delete(id);
    if (entry.bytes === null) this.#countUnmeasured(this.#version(entry.versionKey), -1);
    else this.#measuredBytes -= entry.bytes;
    return bytes;
  }

  /** Does nothing when it has been removed meanwhile. */
  record(id: string, bytes: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const version = this.#version(entry.versionKey);
    if (entry.bytes === null) this.#countUnmeasured(version, -1);
    this.#measuredBytes += bytes - (entry.bytes ?? 0);
    entry.bytes = bytes;
    const { unmeasured } = version;
    this.#countUnmeasured(version, -unmeasured);
    version.mean = version.mean === null ? bytes : version.mean + WEIGHT * (bytes - version.mean);
    this.#countUnmeasured(version, unmeasured);
    this.#overall = this.#overall === null ? bytes : this.#overall + WEIGHT * (bytes - this.#overall);
  }

  /** The version is gone; sandboxes of it that are left are estimated anew. */
  forget(versionKey: string): void {
    const version = this.#versions.get(versionKey);
    if (!version) return;
    const { unmeasured } = version;
    this.#countUnmeasured(version, -unmeasured);
    this.#versions.delete(versionKey);
    if (unmeasured > 0) this.#countUnmeasured(this.#version(versionKey), unmeasured);
  }

  #version(key: string): Version {
    let version = this.#versions.get(key);
    if (!version) {
      version = { mean: null, unmeasured: 0 };
      this.#versions.set(key, version);
    }
    return version;
  }

  #countUnmeasured(version: Version, count: number): void {
    version.unmeasured += count;
    if (version.mean === null) this.#unknown += count;
    else this.#estimatedBytes += count * version.mean;
  }
}
