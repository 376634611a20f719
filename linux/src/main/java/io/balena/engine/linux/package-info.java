/// The one place with JNA: what the JDK cannot say to Linux, said here once, in types.
///
/// Every call that fails throws [io.balena.engine.linux.ErrnoException] with the call's name and what it was made on.
package io.balena.engine.linux;
