/// The overlay2 driver and the content-addressed layer store, in moby's layout.
///
/// ```
/// <data root>/
/// ├── image/overlay2/layerdb/
/// │   ├── sha256/<chain>/              one folder per layer                                  LayerFiles
/// │   │   ├── cache-id                 its folder in overlay2
/// │   │   ├── diff, size, parent
/// │   │   └── tar-split.json.gz        what its tar holds besides file contents              TarSplitWriter, TarAssembler, TarMap
/// │   ├── mounts/<container>/          mount-id, init-id, parent                             MountFiles
/// │   └── tmp/                         layers and containers being made or removed: nobody was told of them
/// │       └── finished-…               layers that are whole, while one below is missing               FinishedLayer
/// ├── overlay2/<cache-id>/             diff, link, lower, work, merged, committed            OverlayFolders
/// │   └── l/<short name>               → ../<cache-id>/diff
/// └── quarantine/                      what could not be explained, under its old path       Quarantine
/// ```
/// A layer comes in through [io.balena.engine.graphdriver.StagedLayer]: one pass over its tar, in stages
/// ([io.balena.engine.graphdriver.LayerExtractor]), the files made by a thread whose root is the layer. Order makes it safe: the
/// folder in `tmp` that names the content is on the disk before the content, everything is on the disk before the one rename
/// that publishes it, and that rename is on the disk before anybody is told. What start-up finds unfinished in `tmp` is removed.
package io.balena.engine.graphdriver;
