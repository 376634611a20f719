/// Volumes of the `local` driver, in Docker's layout.
///
/// ```
///  data-root/volumes/                  0701
///      <name>/                         0701
///          _data/                      0755, or as the image has the folder that was copied into it
///          opts.json                   0600  what to mount on _data while the volume is used; only when there is something
///          volume.json                 0600  ours: labels and options; only when there are any
///      metadata.db                     Docker's: labels and options; read, never written
///  data-root/tmp/volume-<random>/      one that is being made or removed
/// ```
/// A volume is there when its folder is, for us as for Docker, so what one of them makes or removes is made or removed for the other.
/// It appears and disappears by one rename(2): after a power cut it is whole or not there.
///
/// `volume.json` lies in the folder, so that it goes with it: should Docker, after a rollback, remove the volume and make another of that
/// name, nothing of ours is left to contradict it. The other way round, `metadata.db` keeps what it said of a volume that we removed: one
/// that we make anew notes that entry's digest, and it counts again only when Docker has changed it since. Docker does not know
/// `volume.json`: after a rollback it shows volumes that we made without labels and options, and mounts and uses them all the same.
package io.balena.engine.daemon.volume;
