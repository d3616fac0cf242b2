// How loud the two sides are, for a meter.

const floor = -60; // dB below full scale that counts as nothing

/** Level measures streams of a call. It needs a gesture of the person to begin with. */
export class Level {
  #context; #meters = new Map();

  constructor() {
    this.#context = new (window.AudioContext || window.webkitAudioContext)();
    this.#context.resume().catch(() => { /* without a gesture there is no level */ });
  }

  /** Measures a stream from now on, instead of the one that had the name. */
  watch(name, stream) {
    const old = this.#meters.get(name);
    if (old) old.source.disconnect();
    const source = this.#context.createMediaStreamSource(stream);
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    source.connect(analyser);
    this.#meters.set(name, { source, analyser, samples: new Float32Array(analyser.fftSize) });
  }

  /** @returns {number} 0 (nothing) to 1 (as loud as it gets), by decibel */
  of(name) {
    const m = this.#meters.get(name);
    if (!m) return 0;
    m.analyser.getFloatTimeDomainData(m.samples);
    let sum = 0;
    for (const v of m.samples) sum += v * v;
    const db = 10 * Math.log10(sum / m.samples.length + 1e-12);
    return Math.min(1, Math.max(0, 1 - db / floor));
  }

  close() {
    for (const m of this.#meters.values()) m.source.disconnect();
    this.#meters.clear();
    this.#context.close().catch(() => { /* it was closed already */ });
  }
}
