/// As much of D-Bus as it takes to ask systemd for a scope.
package io.balena.engine.runtime.bus;
