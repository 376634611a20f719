/// Reads what the shim recorded of containers' output: json-file logs, rotated ones included, while they are being written.
package io.balena.engine.daemon.container.log;
