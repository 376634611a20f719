/// Routes under `/images`: JSON in and out; the work is done by the modules below.
package io.balena.engine.daemon.image;
