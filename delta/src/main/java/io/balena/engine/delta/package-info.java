/// Binary deltas between images. Empty until its work begins: the module's place in the dependency order is what matters now.
package io.balena.engine.delta;
