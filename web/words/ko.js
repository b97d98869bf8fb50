export const ko = {
  replace: "RALU 샘플러로 바꾸기",
  in_front: "앞에 RALU 넣기",
  other: (name, value, now) => `${name} ${value}은(는) 단계로 나눌 수 없어 ${now}(으)로 설정했습니다.`,
  lost: (names) => `다시 연결하지 못한 입력: ${names}.`,
  no_vae: (detector) =>
    `샘플러 뒤에 VAE가 없어 edge_detector를 VAE가 필요 없는 ${detector}(으)로 설정했습니다.`,
};
