/// What daemon and shim say to each other, in bytes. Older and newer sides must understand each other.
package io.balena.engine.runtime.wire;
