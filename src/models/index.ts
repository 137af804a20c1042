/** Networks by name. */
export { LeNet5 } from './lenet.ts';
