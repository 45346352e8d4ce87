/* Galene loads a file of this name; here it has nothing to do. */
