/// Bytes under way between containers, logs and clients.
package io.balena.engine.runtime.stream;
