import { describe, expect, it } from 'vitest';
import { resnet } from '../../models/index.ts';
import { trace } from '../../nn/index.ts';
import { analyzeChannels } from '../analyze.ts';
import { decide } from '../decide.ts';
import { groupChannels } from '../group-channels.ts';
import { unevenLayers } from './uneven-layers.ts';

/** A stream that grows: layers of its group have 16, 32 and 64 channels. */
const groups = groupChannels(analyzeChannels(trace(resnet(20).eval(), [[1, 3, 32, 32]])));

/** Channels go that `layer3` alone has. */
const ofTheWidest = (ratio: number) => {
  const scores = new Float64Array(groups.unitCount);
  const [stream] = groups.groups;
  const narrower = stream!.members.find(({ name }) => name === 'layer2.0.conv2.weight')!.units;
  const removed = new Uint8Array(groups.unitCount);
  const wanted = Math.ceil(stream!.units.length * ratio);
  for (const unit of stream!.units.filter((own) => !narrower.includes(own)).slice(0, wanted))
    removed[unit] = 1;
  const { groups: decisions } = decide(groups, scores, { ratio });
  return { removed, decisions };
};

describe('unevenLayers', () => {
  it('names layers that lose less than their group was asked for, once wider layers lose it', () => {
    const { removed, decisions } = ofTheWidest(0.25);
    const told = unevenLayers(groups, removed, decisions, {});
    expect(told.map(({ layer }) => layer)).toEqual([
      'conv1',
      ...['layer1.0.conv2', 'layer1.1.conv2', 'layer1.2.conv2'],
      ...['layer2.0.conv2', 'layer2.1.conv2', 'layer2.2.conv2'],
    ]);
    expect(told[0]!.why).toBe('nothing goes: of the channels tied to it, those of other layers rank lower');
  });

  it('leaves out what the group says of itself', () => {
    const { removed, decisions } = ofTheWidest(0.25);
    const saying = decisions.map((decision) => ({ ...decision, whyNot: 'told' }));
    expect(unevenLayers(groups, removed, saying, {})).toEqual([]);
  });

  it('has nothing to say where each width loses its share, or layers are ranked together', () => {
    const half = decide(groups, new Float64Array(groups.unitCount), { ratio: 0.5 });
    expect(half.uneven).toEqual([]);
    const { removed, decisions } = ofTheWidest(0.02);
    expect(unevenLayers(groups, removed, decisions, { scope: 'global' })).toEqual([]);
  });

  it('tells what must stay, and what is rounded, from what ranks above', () => {
    const { removed, decisions } = ofTheWidest(0.25);
    const [first] = groups.groups;
    const whyNot = [...groups.whyNot];
    for (const unit of first!.units.subarray(0, 16)) whyNot[unit] = 'it is frozen';
    const told = unevenLayers({ ...groups, whyNot }, removed, decisions, {});
    expect(told[0]).toEqual({ layer: 'conv1', why: 'nothing goes: 16 of 16 must stay (it is frozen)' });
    const rounded = unevenLayers(groups, removed, decisions, { roundTo: 16 });
    expect(rounded[0]).toEqual({
      layer: 'conv1',
      why: 'nothing goes: what stays is rounded to a multiple of 16',
    });
  });

  it('names layers that keep no multiple', () => {
    const { removed, decisions } = ofTheWidest(0.25);
    removed[groups.groups[0]!.units[0]!] = 1;
    const told = unevenLayers(groups, removed, decisions, { roundTo: 8 });
    expect(told).toContainEqual({
      layer: 'conv1',
      why: "15 of 16 stay, no multiple of 8: they follow from what 'layer3.0.conv2' keeps, the widest layer tied to it",
    });
    expect(told).toContainEqual({ layer: 'layer3.0.conv2', why: '47 of 64 stay, no multiple of 8' });
  });
});
