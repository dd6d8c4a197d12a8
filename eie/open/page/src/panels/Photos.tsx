/** The photos of the folder, and how others come in. */

import { Upload } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { lookAgain, openFile, openPhoto, upload } from "../actions/opening";
import { thumbnailAddress } from "../core/api";
import { doc, photosOpen, workspace } from "../store";
import { Button } from "./Button";
import { Dialog } from "./Dialog";

const KINDS = "image/*,.heic,.heif,.jxl,.avif,.tif,.tiff,.h5";

export function Photos() {
  const picker = useRef<HTMLInputElement>(null);
  const told = workspace.value;
  useEffect(() => void lookAgain(), []);
  const ofPhotos = new Set(told?.photos.map((photo) => photo.document));
  const others = told?.documents.filter((each) => !ofPhotos.has(each.id)) ?? [];
  return (
    <Dialog
      title={told ? `Photos in ${told.name}` : "Photos"}
      wide
      onClose={doc.value ? () => (photosOpen.value = false) : undefined}
    >
      <div class="row spread">
        <p class="muted">Open one, or drop a photo anywhere on this page.</p>
        <Button name="Add a photo" icon={Upload} named onClick={() => picker.current!.click()} />
        <input
          ref={picker}
          class="unseen"
          type="file"
          tabIndex={-1}
          accept={KINDS}
          aria-hidden="true"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = "";
            if (file) void upload(file);
          }}
        />
      </div>
      <ul class="photos">
        {told?.photos.map((photo, index) => (
          <li key={photo.name}>
            <button
              type="button"
              class="photo"
              data-first={index === 0 ? "" : undefined}
              aria-current={photo.document && photo.document === doc.value?.id ? "true" : undefined}
              onClick={() => void openPhoto(photo.name)}
            >
              <img src={thumbnailAddress(photo.name, 256)} alt="" loading="lazy" />
              <span class="photo-name">{photo.name}</span>
              <span class="muted">
                {photo.width}×{photo.height}
                {photo.document ? " · taken apart" : ""}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {told?.photos.length === 0 && <p class="muted">There is no photo in this folder yet.</p>}
      {others.length > 0 && (
        <>
          <h3>Element files</h3>
          <ul class="list">
            {others.map((each) => (
              <li key={each.id}>
                <button type="button" class="item" onClick={() => void openFile(each.file)}>
                  <span class="item-name">{each.file}</span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </Dialog>
  );
}
