/// The daemon's side: finds the shim or starts it, gives it orders, and hears what happened.
package io.balena.engine.runtime.client;
