// Records what the page plays: the raw samples of each remote track, as they go
// to the speaker, and when they came.
(() => {
  const chunks = []; // {at, pcm: Int16Array}
  const pcs = [];
  const listen = async (track) => {
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 1000 }).readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const f32 = new Float32Array(value.numberOfFrames);
      value.copyTo(f32, { planeIndex: 0, format: "f32-planar" });
      const pcm = new Int16Array(f32.length);
      for (let i = 0; i < f32.length; i++) pcm[i] = Math.max(-32768, Math.min(32767, f32[i] * 32768));
      chunks.push({ at: performance.now(), rate: value.sampleRate, pcm });
      value.close();
    }
  };
  // Only through the relay, and only over one transport, when a test wants it.
  const through = (c) => {
    if (!window.earRelay) return c;
    const iceServers = (c.iceServers || []).map((s) => ({ ...s, urls: s.urls.filter((u) => window.earRelay === "tls" ? u.startsWith("turns:") : u.startsWith("turn:") && u.endsWith("transport=" + window.earRelay)) })).filter((s) => s.urls.length);
    return { ...c, iceServers, iceTransportPolicy: "relay" };
  };
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(configuration) {
      super(through(configuration));
      pcs.push(this);
      this.made = performance.now();
      this.addEventListener("track", (e) => listen(e.track));
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected" && !this.connected) this.connected = performance.now();
      });
    }
    setConfiguration(configuration) { super.setConfiguration(through(configuration)); }
  };
  const ask = navigator.mediaDevices && navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  if (ask) {
    navigator.mediaDevices.getUserMedia = async (c) => {
      if (window.ear.fails) throw new DOMException("for the test", window.ear.fails);
      const stream = await ask(c);
      window.ear.microphoneAt = performance.now();
      window.ear.asked = (window.ear.asked || []).concat(c.audio);
      return stream;
    };
  }
  window.ear = {
    chunks, pcs,
    sound() {
      let n = 0;
      for (const c of chunks) n += c.pcm.length;
      const all = new Int16Array(n);
      n = 0;
      for (const c of chunks) { all.set(c.pcm, n); n += c.pcm.length; }
      const bytes = new Uint8Array(all.buffer);
      let s = "";
      for (let i = 0; i < bytes.length; i += 32768) s += String.fromCharCode.apply(null, bytes.subarray(i, i + 32768));
      return btoa(s);
    },
    async stats() {
      const out = { Local: "", Remote: "", Protocol: "", RelayProtocol: "", Address: "", Received: 0, Lost: 0, Concealed: 0, Samples: 0, JitterBufferMS: 0, RoundTripMS: 0 };
      const pc = pcs[pcs.length - 1];
      if (!pc) return out;
      const all = await pc.getStats();
      for (const s of all.values()) {
        if (s.type === "inbound-rtp") {
          Object.assign(out, { Received: s.packetsReceived, Lost: s.packetsLost, Concealed: s.concealedSamples, Samples: s.totalSamplesReceived });
          if (s.jitterBufferEmittedCount) out.JitterBufferMS = 1000 * s.jitterBufferDelay / s.jitterBufferEmittedCount;
        }
        if (s.type === "transport" && s.selectedCandidatePairId) {
          const pair = all.get(s.selectedCandidatePairId);
          const local = all.get(pair.localCandidateId), remote = all.get(pair.remoteCandidateId);
          Object.assign(out, { Local: local.candidateType, Remote: remote.candidateType, Protocol: local.protocol, Address: local.address, RelayProtocol: local.relayProtocol || "" });
          out.RoundTripMS = 1000 * (pair.currentRoundTripTime || 0);
        }
      }
      return out;
    },
  };
})();
