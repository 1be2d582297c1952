/** Images between nested lists [H][W][C] of 0 to 255, as TF Serving speaks of them, and the screen. */

import { el } from "./dom.js";

/** An empty picture of which every pixel of the model is seen. */
export function picture(label, className = "picture") {
  return el("canvas", { class: className, role: "img", "aria-label": label, width: 1, height: 1 });
}

/** Draw an image [H][W][C] on a canvas, in the image's own size. */
export function show(canvas, image) {
  const { width, height, data } = rgba(image);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  canvas.classList.toggle("smooth", Math.max(width, height) > 200);
}

/** A canvas with this image on it. */
export function drawn(image, label, className) {
  const canvas = picture(label, className);
  show(canvas, image);
  return canvas;
}

/** Grey, RGB or RGBA as the bytes of a canvas. */
export function rgba(image) {
  const [height, width] = [image.length, image[0].length];
  const data = new Uint8ClampedArray(4 * width * height);
  let at = 0;
  for (const row of image) {
    for (const pixel of row) {
      const [red, green, blue] = pixel.length < 3 ? [pixel[0], pixel[0], pixel[0]] : pixel;
      data.set([red, green, blue, pixel[3] ?? 255], at);
      at += 4;
    }
  }
  return { width, height, data };
}

/** The bytes of a canvas as an image of 1 channel (its brightness), 3 or 4. */
export function nested(data, width, height, channels) {
  const pixel = (at) => {
    const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
    if (channels === 1) return [Math.round(0.299 * red + 0.587 * green + 0.114 * blue)];
    return channels === 3 ? [red, green, blue] : [red, green, blue, data[at + 3]];
  };
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => pixel(4 * (y * width + x))));
}

/** An image all of one value. */
export function blank(height, width, channels, value = 0) {
  return Array.from({ length: height }, () => Array.from({ length: width }, () => Array(channels).fill(value)));
}

/** Read a photo, scaled and cropped to the middle.
 * @param {File} file
 * @param {(number|null)[]} shape [H, W, C]; null is the photo's own size, up to 256
 * @returns {Promise<number[][][]>}
 * @throws {Error} one sentence, when it is no image */
export async function readPhoto(file, [height, width, channels]) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} cannot be read as an image: choose a PNG, JPEG or WebP file.`);
  });
  const fit = Math.min(1, 256 / Math.max(bitmap.width, bitmap.height));
  const [w, h] = [width ?? Math.round(bitmap.width * fit), height ?? Math.round(bitmap.height * fit)];
  const scale = Math.max(w / bitmap.width, h / bitmap.height);
  const canvas = el("canvas", { width: w, height: h });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const [drawnWidth, drawnHeight] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (w - drawnWidth) / 2, (h - drawnHeight) / 2, drawnWidth, drawnHeight);
  return nested(context.getImageData(0, 0, w, h).data, w, h, channels ?? 3);
}
