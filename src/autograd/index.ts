/** Differentiation: a graph in, a graph that also computes gradients out. */
export { type AddGradientsOptions, addGradients } from './add-gradients.ts';
export { type GradientOptions, gradient, gradientName } from './gradient.ts';
