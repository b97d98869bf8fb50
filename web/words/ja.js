export const ja = {
  replace: "RALU サンプラーに置き換える",
  in_front: "手前に RALU を入れる",
  other: (name, value, now) => `${name} の ${value} はステージに分けられないため、${now} にしました。`,
  lost: (names) => `接続し直せなかった入力：${names}。`,
  no_vae: (detector) =>
    `サンプラーの後に VAE がないため、edge_detector を VAE の要らない ${detector} にしました。`,
};
