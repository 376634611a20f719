/// The control groups of a container: of version 1, of version 2, or made by systemd; limits, counts, and the end of all in them.
package io.balena.engine.runtime.cgroup;
