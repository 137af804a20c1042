"""Makes topk.json: what torch.topk picks of numbers with many ties. Run here; needs torch (written with 2.13)."""
import torch, json, random
random.seed(1); torch.manual_seed(1)
cases=[]
for t in range(60):
    n=random.choice([1,2,3,4,5,7,16,63,64,65,128,200,300,1000])
    lv=random.choice([1,2,3,8,1000])
    x=[random.randint(-lv,lv) for _ in range(n)]
    if random.random()<.2:
        for _ in range(3): x[random.randrange(n)]='nan'
    k=random.choice([1,max(1,n//64),max(1,n//64+1),n//2,n//3,n-1,n])
    k=max(1,min(n,k))
    v=torch.tensor([float(a) for a in x])
    for mode in ('abs','small','large'):
        w=v.abs() if mode=='abs' else v
        idx=torch.topk(w,k=k,largest=mode=='large').indices.sort().values.tolist()
        cases.append(dict(x=x,k=k,mode=mode,picked=idx))
# drop the biggest to keep file small
cases=[c for c in cases if len(c['x'])<=200 or c['mode']=='abs']
json.dump(cases,open('topk.json','w'),separators=(',',':'))
import os; print(len(cases),os.path.getsize('topk.json'))
