/** Networks by name. */
export { LeNet5, type LeNet5Options } from './lenet5.ts';
