/// Reads what the shim recorded of containers' output, while it is being written: files of the drivers json-file and local, rotated and
/// compressed ones included ([io.balena.engine.daemon.container.log.FileLog]), and entries of systemd's journal.
package io.balena.engine.daemon.container.log;
