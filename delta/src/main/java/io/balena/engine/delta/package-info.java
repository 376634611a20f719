/// Binary deltas between images: what changes the bytes of an old image into those of a new one.
///
/// ```
///                Base (the old image, read anywhere)
///                  │                     │
/// new layer ──▶ DeltaMaker ── delta ──▶ DeltaFormat.patch ──▶ new layer
///                 LibrsyncMaker           LibrsyncPatch
///                  BlockIndex, CopySearch
/// ```
/// Each format is one [io.balena.engine.delta.DeltaFormat]. This module knows bytes: nothing of images, stores or registries.
package io.balena.engine.delta;
