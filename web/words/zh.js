export const zh = {
  replace: "替换为 RALU 采样器",
  in_front: "在前面加上 RALU",
  other: (name, value, now) => `${name} ${value} 不能分阶段运行，已改为 ${now}。`,
  lost: (names) => `未重新连接：${names}。`,
  no_vae: (detector) => `采样器后没有找到 VAE，edge_detector 已设为不需要 VAE 的 ${detector}。`,
};
