// Other pictures: one from the disk, or the camera.

const LONGEST = 640; // pixels of the longer side of a picture that is opened here
const CAMERA = { video: { width: { ideal: 320 }, height: { ideal: 240 } }, audio: false };
const CAMERA_FAULTS = {
  NotAllowedError: 'it was not allowed',
  NotFoundError: 'none was found',
  NotReadableError: 'another program uses it',
};

/** What is drawn from (a bitmap, a frame of the camera) as a picture of this page. */
function pictureFrom(source, width, height, name) {
  const canvas = el('canvas', { width: String(width), height: String(height) });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(source, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height).data;
  const samples = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) samples[3 * i + c] = pixels[4 * i + c];
  return { ...DATA.plain, name, width, height, channels: 3, full: 255, samples, start: [width >> 1, height >> 1] };
}

/** Open a picture from the disk: nothing is sent anywhere. */
async function openFile(file) {
  const bitmap = await createImageBitmap(file);
  const shrink = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(n * shrink)));
  return { ...pictureFrom(bitmap, width, height, file.name), path: file.name };
}

/** Show the camera until `stop` is called: `onPicture` gets a picture for each frame. */
async function startCamera(onPicture) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error('this browser gives none to pages of this address');
  const stream = await navigator.mediaDevices.getUserMedia(CAMERA);
  const video = el('video', { playsinline: true, muted: true });
  video.srcObject = stream;
  await video.play();
  let running = true;
  const next = async () => {
    if (!running) return;
    if (video.videoWidth) await onPicture(pictureFrom(video, 320, Math.round((320 * video.videoHeight) / video.videoWidth), 'camera'));
    setTimeout(next, 60);
  };
  next();
  return () => {
    running = false;
    stream.getTracks().forEach((track) => track.stop());
  };
}

/** Why the camera cannot be used, and what can be done instead. */
function cameraFault(error) {
  const why = CAMERA_FAULTS[error.name] ?? error.message;
  return `The camera cannot be used: ${why}. Open a picture instead, or serve the page from localhost.`;
}
