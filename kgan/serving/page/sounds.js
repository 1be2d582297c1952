/** Waveforms in [-1, 1] to and from what a browser plays. */

const RATE = 16_000; // samples a second, where the model does not say

/** The rate of a model's speech. */
export function rateOf(model) {
  return model.about.data?.rate ?? model.about.options?.rate ?? RATE;
}

/** A WAV file, 16 bit, of one channel. */
export function wav(samples, rate) {
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((letter, i) => bytes.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, 2 * rate, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  text(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, i) => bytes.setInt16(44 + 2 * i, 32_767 * Math.max(-1, Math.min(1, value)), true));
  return new Blob([bytes], { type: "audio/wav" });
}

/** The samples of a recording, one channel, at this rate.
 * @throws {Error} one sentence, when it is no sound */
export async function readSound(file, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  const sound = await context.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Error(`${file.name} cannot be read as sound: choose a WAV, MP3 or OGG file.`);
  });
  return Array.from(sound.getChannelData(0), (value) => Number(value.toFixed(6)));
}
