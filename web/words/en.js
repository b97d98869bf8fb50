export const en = {
  replace: "Replace with RALU Sampler",
  in_front: "Put RALU in front",
  other: (name, value, now) => `${name} ${value} does not work in stages: ${now} is set.`,
  lost: (names) => `Not wired again: ${names}.`,
  no_vae: (detector) =>
    `No VAE was found behind the sampler: edge_detector is ${detector}, which needs none.`,
};
