/// The daemon: configuration, and the one place that wires the other modules together.
package io.balena.engine.daemon;
