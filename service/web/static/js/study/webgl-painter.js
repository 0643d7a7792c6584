// @ts-check
// Draws images with WebGL 2: one hidden canvas for all tiles, because a browser allows a page few contexts. Values are 16 bits up to the shader.

const VERTEX = `#version 300 es
const vec2 corners[3] = vec2[3](vec2(-1., -1.), vec2(3., -1.), vec2(-1., 3.));
void main() { gl_Position = vec4(corners[gl_VertexID], 0., 1.); }`;

const FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp usampler2D;
uniform usampler2D pixels;
uniform sampler2D heat;
uniform vec3 across, down;       // from pixels of the tile to the stored matrix, 0 to 1
uniform vec2 size;               // columns, rows
uniform float height, centre, width, opacity, steps;
uniform bool sigmoid, white;
out vec4 colour;
float at(ivec2 place) { return float(texelFetch(pixels, clamp(place, ivec2(0), ivec2(size) - 1), 0).r); }
float between(vec2 place) {
  vec2 q = place * size - 0.5;
  ivec2 base = ivec2(floor(q));
  vec2 f = q - floor(q);
  return mix(mix(at(base), at(base + ivec2(1, 0)), f.x), mix(at(base + ivec2(0, 1)), at(base + ivec2(1, 1)), f.x), f.y);
}
vec2 source(vec2 point) { return vec2(dot(across, vec3(point, 1.)), dot(down, vec3(point, 1.))); }
void main() {
  vec2 point = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 place = source(point);
  if (any(lessThan(place, vec2(0.))) || any(greaterThan(place, vec2(1.)))) { colour = vec4(0., 0., 0., 1.); return; }
  float sum = 0.;
  // A pixel of the screen that covers several of the image shows their mean.
  for (float j = 0.; j < steps; j++) for (float i = 0.; i < steps; i++)
    sum += between(source(point + (vec2(i, j) + 0.5) / steps - 0.5));
  float value = sum / (steps * steps);
  float part = (value - centre) / width;
  float grey = sigmoid ? 1. / (1. + exp(clamp(-4. * part, -80., 80.))) : clamp(part + 0.5, 0., 1.);
  if (white) grey = 1. - grey;
  float h = texture(heat, place).r;
  vec3 hot = clamp(1.5 - abs(4. * h - vec3(3., 2., 1.)), 0., 1.);
  colour = vec4(mix(vec3(grey), hot, opacity * clamp((h - 0.3) / 0.4, 0., 1.)), 1.);
}`;

/** @import { Frame } from "./pixels.js" */
/** @import { Heat } from "./contour.js" */

export class WebGlPainter {
  /** A painter, or null where the browser has no WebGL 2. */
  static make() {
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, depth: false });
    return gl ? new WebGlPainter(canvas, gl) : null;
  }

  /** @param {HTMLCanvasElement} canvas @param {WebGL2RenderingContext} gl */
  constructor(canvas, gl) {
    this.name = "WebGL 2";
    this.canvas = canvas;
    this.gl = gl;
    /** @type {number} */
    this.largest = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    /** @type {WeakMap<Frame | Heat, WebGLTexture>} */
    this.textures = new WeakMap();
    /** @type {Record<string, WebGLUniformLocation | null>} */
    this.uniforms = {};
    /** @type {Heat} */
    this.nothing = { rows: 1, columns: 1, values: new Uint8Array(1) };
    this.lost = false;
    /** @type {(() => void) | undefined} */
    this.onrestored = undefined;
    canvas.addEventListener("webglcontextlost", (event) => { event.preventDefault(); this.lost = true; });
    canvas.addEventListener("webglcontextrestored", () => { this.textures = new WeakMap(); this.#build(); this.lost = false; this.onrestored?.(); });
    this.#build();
  }

  #build() {
    const { gl } = this;
    const program = gl.createProgram();
    for (const { kind, text } of [{ kind: gl.VERTEX_SHADER, text: VERTEX }, { kind: gl.FRAGMENT_SHADER, text: FRAGMENT }]) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "a shader does not compile");
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    for (const name of ["pixels", "heat", "across", "down", "size", "height", "centre", "width", "opacity", "steps", "sigmoid", "white"]) {
      this.uniforms[name] = gl.getUniformLocation(program, name);
    }
    gl.uniform1i(this.uniforms.pixels, 0);
    gl.uniform1i(this.uniforms.heat, 1);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** @param {Frame} layout */
  canHold(layout) { return Math.max(layout.source_rows, layout.source_columns) <= this.largest; }

  /** Free the texture of an image. @param {Frame | Heat | null} image */
  forget(image) {
    const texture = image && this.textures.get(image);
    if (texture) this.gl.deleteTexture(texture);
    if (image) this.textures.delete(image);
  }

  /** @param {number} unit @param {Frame | Heat} image */
  #bind(unit, image) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    const known = this.textures.get(image);
    gl.bindTexture(gl.TEXTURE_2D, known || null);
    if (known) return;
    const texture = gl.createTexture();
    this.textures.set(image, texture);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const isFrame = image.values instanceof Uint16Array;
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, isFrame ? gl.NEAREST : gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, isFrame ? gl.NEAREST : gl.LINEAR);
    if (isFrame) gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, image.columns, image.rows, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, image.values);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, image.columns, image.rows, 0, gl.RED, gl.UNSIGNED_BYTE, image.values);
  }

  /** Draw into the 2D context of a tile. @param {CanvasRenderingContext2D} target @param {import("./canvas-painter.js").Picture} picture */
  paint(target, picture) {
    if (this.lost) return;
    const { gl, canvas, uniforms } = this;
    const { width, height } = target.canvas;
    if (canvas.width < width) canvas.width = width;
    if (canvas.height < height) canvas.height = height;
    gl.viewport(0, 0, width, height);
    this.#bind(0, picture.frame);
    this.#bind(1, picture.heat || this.nothing);
    const [a, b, c, d, e, f] = picture.map;
    gl.uniform3f(uniforms.across, a, b, c);
    gl.uniform3f(uniforms.down, d, e, f);
    gl.uniform2f(uniforms.size, picture.frame.columns, picture.frame.rows);
    gl.uniform1f(uniforms.height, height);
    gl.uniform1f(uniforms.centre, picture.shading.centre);
    gl.uniform1f(uniforms.width, picture.shading.width);
    gl.uniform1i(uniforms.sigmoid, picture.shading.sigmoid ? 1 : 0);
    gl.uniform1i(uniforms.white, picture.shading.white ? 1 : 0);
    gl.uniform1f(uniforms.opacity, picture.heat ? picture.opacity : 0);
    const covered = Math.max(Math.hypot(a, d * picture.frame.rows / picture.frame.columns), Math.hypot(b, e * picture.frame.rows / picture.frame.columns));
    gl.uniform1f(uniforms.steps, Math.min(6, Math.max(1, Math.ceil(covered * picture.frame.columns - 0.2))));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    target.drawImage(canvas, 0, canvas.height - height, width, height, 0, 0, width, height);
  }
}
