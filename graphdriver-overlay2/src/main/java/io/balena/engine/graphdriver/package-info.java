/// The overlay2 driver and the content-addressed layer store.
package io.balena.engine.graphdriver;
