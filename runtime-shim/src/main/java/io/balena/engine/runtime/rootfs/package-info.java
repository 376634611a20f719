/// The files a container sees: the rows of a program that make its root, mounts, devices and protected paths.
package io.balena.engine.runtime.rootfs;
