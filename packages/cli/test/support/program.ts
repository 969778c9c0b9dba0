// The command, to be compiled beside this file.
import "../../src/main.ts"
