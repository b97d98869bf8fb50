export const ko = {
  replace: "RALU 샘플러로 바꾸기",
  in_front: "앞에 RALU 넣기",
  other: (name, value, now) => `${name} ${value}은(는) 단계로 나눌 수 없어 ${now}(으)로 설정했습니다.`,
  lost: (names) => `다시 연결하지 못한 입력: ${names}.`,
  no_vae: (detector) =>
    `샘플러 뒤에 VAE가 없어 edge_detector를 VAE가 필요 없는 ${detector}(으)로 설정했습니다.`,
  stage: (number) => `단계 ${number}`,
  steps: (count) => `${count}스텝`,
  tokens: (count) => `토큰 ${count}개`,
  levels: "스텝별 sigma",
  visits: "시간 t = 1 - sigma 방문 빈도",
  matched: (z, c, distance) => `z ${z}, c ${c}, JS 거리 ${distance}`,
  any_shift: "모든 모델 shift용",
  for_shift: (shift) => `모델 shift ${shift}용`,
  solved: (shift) => `지난 실행에서 푼 값, ${shift}`,
  model_decides: (shift) => `${shift}; 실행할 때는 모델의 값을 읽습니다`,
  wired: (name) => `${name}은(는) 연결이 정하므로 실행한 뒤에 그립니다.`,
  no_server: "그래프 없음: 서버가 응답하지 않습니다.",
  head_steps: "스텝",
  head_calls: "호출",
  head_tokens: "토큰",
  head_seconds: "초",
  seconds: (all, loading) => `모두 ${all}초, 그중 모델을 불러오기까지 ${loading}초.`,
  compared_fewer: (times, steps, size) => `${size}에서 FLOPs가 일반 ${steps}스텝의 1/${times}`,
  compared_more: (times, steps, size) => `${size}에서 FLOPs가 일반 ${steps}스텝의 ${times}배`,
  compared_published: (said) => `(논문의 비교: ${said})`,
  compared_cold: (predicted) =>
    `예상 모델 계산량은 일반 ${predicted}스텝. 가중치를 불러오는 중이라 재지 않았으니 한 번 더 실행하세요.`,
  compared_free: (measured, each, predicted) =>
    `일반 ${measured}스텝만큼의 시간(스텝당 측정 ${each}초). 예상 ${predicted}.`,
  compared: (times, plain, each, predicted) =>
    `일반 ${plain}스텝보다 ${times}배 빠름(스텝당 측정 ${each}초). 예상 ${predicted}배.`,
};
