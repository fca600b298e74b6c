/* A spectrogram on a canvas. */

function paintSound(canvas, sound, { columns, mels }) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, columns, mels);
  if (!sound) return;
  const levels = Uint8Array.from(atob(sound.picture), (letter) => letter.charCodeAt(0));
  const image = pen.createImageData(columns, mels);
  for (let column = 0; column < columns; column++) {
    for (let mel = 0; mel < mels; mel++) {
      const place = 4 * ((mels - 1 - mel) * columns + column);
      image.data.set(flame(levels[column * mels + mel] / 255), place);
    }
  }
  pen.putImageData(image, 0, 0);
}

/* From black over violet and orange to pale yellow, which also reads in grey. */
const FLAME = [[13, 10, 30], [66, 20, 100], [140, 41, 105], [210, 75, 65], [248, 150, 40], [252, 250, 190]];

function flame(level) {
  const place = level * (FLAME.length - 1);
  const below = Math.min(FLAME.length - 2, Math.floor(place));
  const share = place - below;
  return [...FLAME[below].map((from, k) => from + share * (FLAME[below + 1][k] - from)), 255];
}
